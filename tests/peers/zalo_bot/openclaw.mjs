// npm @openclaw/zalo judges our simulated Zalo Bot Platform. Started by run.sh, with the simulator's address
// in ZALO_API_URL. Prints one line for each judgement; exit code 1 when one failed.

import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

const town = process.env.ZALO_API_URL;
const token = "60218834:kengzalokengzalokengzalo";
const secret = "bi-mat-cua-trong-tai";

// The package exports its calls under letters that change with every build; their own names stay.
const folder = fileURLToPath(new URL("./node_modules/@openclaw/zalo/dist/.setup/", import.meta.url));
const file = readdirSync(folder).find((name) => /^send-.*\.mjs$/.test(name));
const api = Object.fromEntries(Object.values(await import(folder + file)).filter((v) => typeof v === "function").map((v) => [v.name, v]));

let passed = 0;
let failed = 0;
const judge = (what, holds, shown) => {
  if (holds) passed += 1;
  else failed += 1;
  console.log(holds ? `PASS  @openclaw/zalo: ${what}` : `FAIL  @openclaw/zalo: ${what}: ${JSON.stringify(shown)}`);
};
const sim = async (act, body) => {
  const answer = await fetch(`${town}/sim/${act}`, { method: "POST", body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${act}: ${await answer.text()}`);
  return answer.json();
};
const raised = async (call) => {
  try {
    await call;
    return null;
  } catch (error) {
    return error;
  }
};

const lan = (await sim("person", { name: "Chị Mận" })).id;
const group = (await sim("group", { title: "Xóm Chùa", bot: true })).id;

const me = await api.getMe(token);
judge("getMe", me.ok && me.result.account_name.startsWith("bot."), me);
await sim("mention", { person: lan, chat: group, text: "mất xe ở cổng chợ" });
const update = await api.getUpdates(token, { timeout: 5 });
judge("a mention in a group", update.result.message.text.endsWith("mất xe ở cổng chợ"), update);
judge("its chat", update.result.message.chat.id === group && update.result.message.chat.chat_type === "GROUP", update);
const sent = await api.sendMessage(token, { chat_id: group, text: "Đã ghi nhận" });
judge("sendMessage", sent.ok && typeof sent.result.message_id === "string", sent);
const action = await raised(api.sendChatAction(token, { chat_id: group, action: "typing" }));
judge("sendChatAction", action === null, String(action));
await sim("switches", { idle: "body" });
const idle = await raised(api.getUpdates(token, { timeout: 1 }));
judge("an idle poll by body is a polling timeout", idle?.isPollingTimeout === true, String(idle));
await sim("switches", { idle: "status" });
const outage = await raised(api.getUpdates(token, { timeout: 1 }));
judge("an idle poll by status is an outage to it", outage !== null && outage.isPollingTimeout !== true, String(outage));
const none = await raised(api.getWebhookInfo(token));
judge("getWebhookInfo of a clean bot is not found", none !== null, String(none));
await sim("switches", { strict_hooks: true, verifies: true });
const set = await api.setWebhook(token, { url: "https://keng.example.vn/x", secret_token: secret });
judge("setWebhook", set.ok && set.result.url === "https://keng.example.vn/x", set);
const info = await api.getWebhookInfo(token);
judge("getWebhookInfo", info.result.url === "https://keng.example.vn/x", info);
const gone = await api.deleteWebhook(token);
judge("deleteWebhook", gone.ok && gone.result.url === "", gone);
const wrong = await raised(api.getMe("1:wrong"));
judge("a void token is refused", String(wrong).includes("401"), String(wrong));

console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
