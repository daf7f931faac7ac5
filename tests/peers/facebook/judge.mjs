// npm messaging-api-messenger and the webhook half of @warriorteam/messenger-sdk judge our simulated Page.
//
// Started by run.sh, with the simulator's address in KENG_TOWN and the known signatures as argument.
import { readFileSync } from 'node:fs';
import messenger from 'messaging-api-messenger';
import * as sdk from '@warriorteam/messenger-sdk';

const { MessengerClient } = messenger;
const TOWN = process.env.KENG_TOWN;
const [APP, SECRET] = ['517000000000017', 'khoaBiMatCuaUngDungMeta'];
const [PAGE, TOKEN] = ['104400000000007', 'EAABmaTruyCapCuaTrang'];
let passed = 0;
let failed = 0;

function judge(what, holds, shown) {
  if (holds) passed += 1;
  else failed += 1;
  console.log(holds ? `PASS  ${what}` : `FAIL  ${what}: ${JSON.stringify(shown)}`);
}

async function sim(act, body = {}) {
  const answer = await fetch(`${TOWN}/sim/${act}`, { method: 'POST', body: JSON.stringify(body) });
  return answer.json();
}

async function refusal(call) {
  try {
    return await call();
  } catch (error) {
    return String(error.message ?? error);
  }
}

async function drain() {
  for (;;) {
    if ((await sim('next_call')) === null) return;
  }
}

const client = new MessengerClient({ accessToken: TOKEN, appId: APP, appSecret: SECRET, version: '26.0', origin: TOWN });
const lan = (await sim('person', { name: 'Nguyễn Thị Lan' })).id;

const outside = await refusal(() => client.sendText(lan, 'chào'));
judge('outside the window the client reads the refusal', /outside of allowed window/.test(outside), outside);
await sim('say', { person: lan, text: 'tôi muốn báo tin' });
const answer = await client.sendText(lan, 'Đã nhận tin báo');
judge('a text by JSON, with the proof the client computes', answer.messageId?.startsWith('m_') && answer.recipientId === lan, answer);
const replies = await client.sendMessage(lan, { text: 'Gửi?', quickReplies: [{ contentType: 'text', title: 'Gửi', payload: 'a:ok' }] });
judge('quick replies', replies.messageId?.startsWith('m_'), replies);
const pixel = Buffer.from('89504e470d0a1a0a', 'hex');
const kept = await client.uploadImage(pixel, { filename: 'anh.png', isReusable: true });
const image = await client.sendImage(lan, { attachmentId: kept.attachmentId });
judge('a picture is uploaded once and sent by its id', image.messageId?.startsWith('m_'), image);
const post = await sim('write', { person: lan, text: 'Nhờ công an xem giúp' });
const comment = (await sim('write', { person: lan, under: post.id, text: '#matuy' })).id;
const aside = await client.sendMessage({ commentId: comment }, { text: 'nhắn riêng' });
judge('a private reply by comment', aside.recipientId === lan, aside);
const twice = await refusal(() => client.sendMessage({ commentId: comment }, { text: 'lại' }));
judge('only once', /already replied/.test(twice), twice);
const retired = await refusal(() => client.sendText(lan, 'x', { messagingType: 'MESSAGE_TAG', tag: 'ACCOUNT_UPDATE' }));
judge('a retired tag is refused', /Invalid parameter|100/.test(retired), retired);

// Webhooks: what the simulator would call a bot with, held by a verifier of others.
const valid = async (body, header, secret = SECRET) => {
  try {
    return (await sdk.verifyWebhookSignature(Buffer.from(body), header, secret)).isValid === true;
  } catch {
    return false;
  }
};
await drain();
await sim('say', { person: lan, text: 'Có trộm xe máy ở hẻm 12' });
const call = await sim('next_call');
judge('everything that is not ASCII is escaped', [...call.body].every((letter) => letter.charCodeAt(0) < 128) && call.body.includes('\\u1ed9'), call.body);
judge('the signature holds over the raw body', await valid(call.body, call.signature), call);
judge('and not once it is read and written again', !(await valid(JSON.stringify(JSON.parse(call.body)), call.signature)));
const entry = JSON.parse(call.body).entry[0];
judge('one message in an entry, times in milliseconds', entry.messaging.length === 1 && entry.messaging[0].timestamp > 1e12, entry);
const events = sdk.extractWebhookEvents(JSON.parse(call.body));
judge('the verifier\'s own reader finds the message', events.length === 1 && sdk.getWebhookEventType(events[0]) === 'message', events);
await sim('write', { person: lan, under: post.id, text: '#tromcap mất xe ở cổng chợ' });
const change = JSON.parse((await sim('next_call')).body).entry[0];
judge('a change of the wall, in seconds', change.changes[0].field === 'feed' && change.changes[0].value.created_time < 1e11, change);
for (const vector of JSON.parse(readFileSync(process.argv[2], 'utf8'))) {
  const found = await valid(vector.raw_body, vector.header, vector.app_secret);
  judge(`the known signature "${vector.about}"`, found === vector.valid, { found });
  if (vector.valid) {
    // The simulator signs with its own secret: the verifier agrees with it about the same bytes.
    const ours = await sim('sign', { body: vector.raw_body });
    judge('  and ours over the same bytes', await valid(vector.raw_body, ours.signature), ours);
  }
}
console.log(`messaging-api-messenger, messenger-sdk: ${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
