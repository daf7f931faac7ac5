// The user's side of the talk: starts the server and `keng serve`, writes as a resident, and reads
// what the bot answered. See run.sh.
//
// What the server lacks (the real one has it): it ignores offset and timeout of getUpdates and forgets
// an update once it was fetched, knows no getWebhookInfo, and answers edits and deletions with null.

import { spawn } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import TelegramServer from 'telegram-test-api';

const TOKEN = '666:TEST_token-of_nobody';
const GROUP = -1001730156619;
const UNTAGGED = 'Trưa nay chợ có rau muống non không các bác?';
const TAGGED = '#tromcap mất xe Wave ở cổng chợ Hải Hòa lúc 3h sáng nay';
const ANSWER_MS = 20_000; // how long an answer may take on a busy machine
const QUIET_MS = 3_000; // how long silence must last to count as silence

const sleep = (ms) => new Promise((wake) => setTimeout(wake, ms));

function fail(why) {
    console.error(`telegram-test-api: ${why}`);
    process.exitCode = 1;
}

async function freePort() {
    const probe = createServer();
    await new Promise((ready) => probe.listen(0, '127.0.0.1', ready));
    const { port } = probe.address();
    await new Promise((closed) => probe.close(closed));
    return port;
}

function config(work, apiUrl, webPort) {
    const path = join(work, 'ward.toml');
    writeFileSync(path, `
[store]
kind = "sled"
path = ${JSON.stringify(join(work, 'data'))}

[web]
listen = "127.0.0.1:${webPort}"
public_url = "http://127.0.0.1:${webPort}"

[[account]]
name = "tg1"
platform = "telegram"
api_url = "${apiUrl}"
token = { env = "KENG_TG_TOKEN" }
receive = "poll"

[[room]]
account = "tg1"
native = "${GROUP}"
area = "06862/tan-truc-tung"
`);
    return path;
}

/** What the bot has said in the group: sent messages and later versions of them. */
function said(server) {
    return server.storage.botMessages
        .map(({ message, messageId }) => ({ ...message, messageId }))
        .filter((message) => String(message.chat_id) === String(GROUP));
}

const answers = (message, id) =>
    String(message.reply_parameters?.message_id ?? message.reply_to_message_id) === String(id);

/** Waits until `done()` or the time is up. */
async function until(done, ms) {
    for (const end = Date.now() + ms; Date.now() < end && !done(); ) await sleep(100);
    return done();
}

async function write(server, client, text) {
    const before = server.storage.userMessages.length;
    await client.sendMessage(client.makeMessage(text));
    const stored = server.storage.userMessages.slice(before);
    const mine = stored.find(({ message }) => message.text === text);
    if (!mine) throw new Error('the server lost the message that was written');
    // The server marks an update as read when somebody polls it.
    if (!(await until(() => mine.isRead, ANSWER_MS))) throw new Error('nobody polls the server');
    return mine.messageId;
}

async function talk(server) {
    const client = server.getClient(TOKEN, {
        chatId: GROUP,
        type: 'supergroup',
        chatTitle: 'Tổ dân phố 5 Hải Hòa',
        userId: 1001,
        firstName: 'Lan',
        userName: 'lanhaihoa',
    });

    const untagged = await write(server, client, UNTAGGED);
    await sleep(QUIET_MS);
    const before = said(server).length;
    if (said(server).some((message) => answers(message, untagged))) {
        return fail('the untagged message was answered');
    }

    const tagged = await write(server, client, TAGGED);
    const receipts = () => said(server).filter((message) => answers(message, tagged));
    await until(() => receipts().length > 0, ANSWER_MS);
    await sleep(QUIET_MS);
    for (const { text } of receipts()) console.log(`the bot answered:\n${text}`);
    if (receipts().length !== 1) return fail(`the tagged message got ${receipts().length} receipts`);
    if (!/\d/.test(receipts()[0].text ?? '')) return fail('the receipt names no case code');
    const others = said(server).length - before - 1;
    if (others !== 0) return fail(`the bot said ${others} other things in the group`);
    if (said(server).some((message) => answers(message, untagged))) {
        return fail('the untagged message was answered late');
    }
    console.log('tagged: one receipt; untagged: nothing');
    console.log('2 passed, 0 failed');
}

const work = process.env.KENG_PEER_WORK ?? mkdtempSync(join(tmpdir(), 'keng-peer-'));
const server = new TelegramServer({ host: '127.0.0.1', port: await freePort(), storeTimeout: 3600 });
await server.start();
const path = config(work, server.config.apiURL, await freePort());
const keng = spawn(process.env.KENG_BIN, ['serve', '--config', path], {
    cwd: work,
    env: { ...process.env, KENG_TG_TOKEN: TOKEN },
    stdio: ['ignore', 'inherit', 'inherit'],
});
const ended = new Promise((end) => {
    keng.once('error', (error) => end(`could not start: ${error.message}`));
    keng.once('exit', (code, signal) => end(signal ?? code));
});

let stopping = false;
try {
    const early = ended.then((how) => stopping || fail(`keng serve ended by itself (${how})`));
    await Promise.race([talk(server), early]);
} catch (error) {
    fail(error.message);
} finally {
    stopping = true;
    keng.kill('SIGTERM');
    const killer = setTimeout(() => {
        fail('keng serve did not stop within 12 s');
        keng.kill('SIGKILL');
    }, 12_000);
    const how = await ended;
    if (how !== 0 && !process.exitCode) fail(`keng serve did not end cleanly (${how})`);
    clearTimeout(killer);
    await server.stop();
}
