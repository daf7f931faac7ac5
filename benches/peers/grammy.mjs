// The work of Kẻng's door, done with grammY (https://grammy.dev): poll, keep the tagged messages on disk
// before the offset moves, answer each with one line. Run by `benches/peers/run.sh`.
import { closeSync, fdatasyncSync, openSync, writeSync } from "node:fs";
import { Bot } from "grammy";

const { KENG_PEER_API: api, KENG_PEER_TOKEN: token, KENG_PEER_FILE: file } = process.env;
const bot = new Bot(token, { client: { apiRoot: api } });
const journal = openSync(file, "a");
const tagged = /#\p{L}+/u;
let rows = [];
const answers = new Set();

bot.on("message:text", (context) => {
  if (!tagged.test(context.message.text)) return;
  rows.push(JSON.stringify({ chat: context.chat.id, id: context.message.message_id, text: context.message.text }));
  answers.add(context);
});

await bot.init();
let offset = 0;
let going = true;
process.once("SIGTERM", () => { going = false; });
const sending = new Set();
while (going) {
  const updates = await bot.api.getUpdates({ offset, limit: 100, timeout: 5, allowed_updates: ["message"] });
  for (const update of updates) {
    await bot.handleUpdate(update);
    offset = update.update_id + 1;
  }
  if (rows.length > 0) {
    // One write and one sync for a whole batch: the cheapest way to have it on disk.
    writeSync(journal, rows.join("\n") + "\n");
    fdatasyncSync(journal);
    rows = [];
  }
  for (const context of answers) {
    // More at once would use up the ports of the machine.
    if (sending.size >= 128) await Promise.race(sending);
    const sent = context.reply("Đã ghi nhận tin báo.", { reply_parameters: { message_id: context.message.message_id, allow_sending_without_reply: true } })
      .catch(() => {}).finally(() => sending.delete(sent));
    sending.add(sent);
  }
  answers.clear();
}
closeSync(journal);
