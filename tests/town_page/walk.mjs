// What a newcomer does on the town's page, in a real browser. One line for each thing seen; the first that is not
// seen ends the walk.
//
//     node walk.mjs http://127.0.0.1:PORT [--shots DIR]

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const base = process.argv[2];
const shots = process.argv.includes("--shots") ? process.argv[process.argv.indexOf("--shots") + 1] : null;
const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
/** Longer than the bot's slowest promise; nothing waits this long unless something is wrong. */
const PATIENCE = 30_000;

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
let seen = 0;

function see(what) {
  seen += 1;
  console.log(`seen  ${what}`);
}

/** A browser of this width, in which every complaint and every request elsewhere is noted. */
async function visit(width, height, more = {}) {
  const context = await browser.newContext({ viewport: { width, height }, locale: "vi-VN", ...more });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.complaints = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) page.complaints.push(message.text());
  });
  page.on("pageerror", (error) => page.complaints.push(error.message));
  page.on("dialog", (dialog) => {
    page.complaints.push(`a dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  await context.route("**", (route) => {
    if (route.request().url().startsWith(`${base}/`)) return route.continue();
    page.complaints.push(`a request to ${route.request().url()}`);
    return route.abort();
  });
  await page.goto(`${base}/town`);
  await page.locator(".phone").first().waitFor();
  await page.locator('#alive[data-alive="yes"]').waitFor();
  return page;
}

async function shot(page, name) {
  if (shots) await page.screenshot({ path: `${shots}/${name}.png` });
}

async function keepsItsWidth(page, what) {
  const [wide, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(wide <= window, `${what}: ${wide} px wide in a window of ${window}`);
}

async function isAccessible(page, what) {
  await page.evaluate(await (await import("node:fs/promises")).readFile(axe, "utf8"));
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const grave = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
  const told = grave.map(({ id, help, nodes }) => `${id} (${help}): ${nodes.map(({ html }) => html).slice(0, 3).join(" | ")}`);
  assert.deepEqual(told, [], what);
}

/** Writes in the chosen phone and gives the message as it then stands there. */
async function write(page, text) {
  const phone = page.locator(".phone.chosen");
  await page.locator("#text").fill(text);
  await page.locator("#text").press("Enter");
  const message = phone.locator(".message.by-person", { hasText: text }).last();
  await message.waitFor({ state: "attached" });
  return message;
}

async function end(page, what) {
  assert.deepEqual(page.complaints, [], what);
  await page.context().close();
}

// ---- at a desk ----------------------------------------------------------------------------------------

const desk = await visit(1280, 900);
const phones = await desk.locator(".phone.group, .phone.page").count();
assert.equal(phones, 30);
see(`${phones} groups side by side, each in its phone`);
await shot(desk, "rest-1280");

await desk.getByRole("button", { name: "Nhắn có thẻ" }).click();
const tagged = await write(desk, await desk.locator("#text").inputValue());
const code = /vụ (\S+)/.exec(await tagged.locator('.kept[data-kept="record"]').textContent())[1];
await desk.locator(".phone.chosen .by-bot", { hasText: `mã ${code}` }).first().waitFor({ state: "attached" });
see(`a tagged message: it is recorded, and the receipt names case ${code}`);
const record = desk.locator(".record").filter({ has: desk.locator("h4", { hasText: new RegExp(`· ${code}(khẩn)?$`) }) });
await record.waitFor();
const why = await record.locator("q").allTextContents();
for (const words of ["#tromcap", "cổng chợ", "3h sáng"]) assert.ok(why.some((one) => one.includes(words)), `${words} in ${why}`);
see("beside the phones: the record, and the words that gave its kind, place and time");

await desk.getByRole("button", { name: "Nhắn thường" }).click();
const plain = await write(desk, await desk.locator("#text").inputValue());
await plain.locator('.kept[data-kept="nothing"]').waitFor({ state: "attached" });
assert.equal(await plain.evaluate((item) => item.nextElementSibling?.classList.contains("receipt") ?? false), false);
await desk.getByRole("status").filter({ hasText: "không lưu lại gì" }).waitFor();
see("an untagged message: nothing is kept, nobody answers, and the visitor is told so");

const markup = '<img src=x onerror="alert(1)"><b>đậm</b> <script>alert(2)</script>';
const forged = await write(desk, markup);
assert.equal(await forged.locator(".words").textContent(), markup);
assert.equal(await desk.locator(".phones img, .phones script, .words b:not(.tag)").count(), 0);
see("a forger's markup stays words");

await desk.getByRole("switch", { name: "Bot giữ gì?" }).click();
assert.equal(await plain.locator(".kept").isVisible(), false);
await desk.getByRole("switch", { name: "Bot giữ gì?" }).click();
see("the switch hides and shows what the bot keeps");

await desk.getByRole("button", { name: "Telegram", exact: true }).click();
await desk.locator(".phone.telegram.group:visible .open").first().click();
const first = await write(desk, "Mai họp thôn lúc 7h tối bà con nhé");
await first.hover();
await first.getByRole("button", { name: "Sửa" }).click();
const changed = await write(desk, "Mai họp thôn lúc 8h tối bà con nhé");
await changed.getByText("đã sửa").waitFor({ state: "attached" });
await changed.hover();
await changed.getByRole("button", { name: "Trả lời" }).click();
const answer = await write(desk, "Vâng ạ");
await answer.locator("blockquote", { hasText: "8h tối" }).waitFor({ state: "attached" });
await desk.getByRole("button", { name: "Kèm một ảnh" }).click();
const picture = await write(desk, "Cổng nhà văn hoá đây ạ");
await picture.locator(".picture").waitFor({ state: "attached" });
see("an edit, an answer and a picture");
await desk.getByRole("button", { name: "Tất cả" }).click();

await desk.getByRole("button", { name: "Nhắn riêng" }).click();
await desk.locator(".phone.private.chosen").waitFor();
const aside = await write(desk, "Nhà tôi mất hai con gà ở xóm Bến tối qua, tôi ngại nói trong nhóm");
await aside.locator('.kept[data-kept="record"]').waitFor({ state: "attached" });
see("a word with the bot in private needs no tag");

await desk.getByRole("button", { name: "Gửi cảnh báo" }).click();
const words = "Có người giả công an gọi điện";
await write(desk, await desk.locator("#text").inputValue());
const send = desk.locator(".phone.chosen .by-bot .buttons button", { hasText: "Gửi" }).last();
await send.waitFor();
await shot(desk, "preview-1280");
await send.click();
await desk.waitForFunction(
  ({ words, phones }) => {
    const heard = [...document.querySelectorAll(".phone.group, .phone.page")].filter((phone) =>
      [...phone.querySelectorAll(".by-bot.alert")].some((message) => message.textContent.includes(words)));
    return heard.length === phones;
  },
  { words, phones },
);
see(`an officer's alert, confirmed by a button: it stands in all ${phones} phones`);
await desk.locator(".alerts .alert", { hasText: words }).getByText(`${phones}/${phones} nhóm`).waitFor();
see("beside the phones: how far the alert has come");
await shot(desk, "alert-1280");

await desk.getByRole("button", { name: "Giết bot" }).click();
await desk.locator('#alive[data-alive="no"]').waitFor();
await desk.getByRole("button", { name: "Nhắn có thẻ" }).click();
await desk.locator("#text").fill("#tromcap mất hai con gà ở xóm Đình lúc bot đang tắt");
const missed = await write(desk, await desk.locator("#text").inputValue());
await desk.getByRole("button", { name: "Bật bot lại" }).click();
await desk.locator('#alive[data-alive="yes"]').waitFor();
await missed.locator('.kept[data-kept="record"]').waitFor({ state: "attached" });
see("the bot is killed and started again: what was said meanwhile is recorded");

await desk.getByText("Gây sự cố").click();
await keepsItsWidth(desk, "at 1,280 px");
await isAccessible(desk, "at 1,280 px");
see("at 1,280 px nothing scrolls sideways, and axe finds nothing serious");
await end(desk, "at 1,280 px");

// ---- with the keyboard alone --------------------------------------------------------------------------

const keys = await visit(1280, 900, { reducedMotion: "reduce" });
async function tabTo(found) {
  for (let step = 0; step < 300; step += 1) {
    await keys.keyboard.press("Tab");
    const at = await keys.evaluate(() => {
      const here = document.activeElement;
      const { outlineStyle, outlineWidth } = getComputedStyle(here);
      const name = here.getAttribute("aria-label") ?? here.textContent;
      return { id: here.id, name, marked: outlineStyle !== "none" && parseFloat(outlineWidth) >= 2 };
    });
    assert.ok(at.marked, `the focus on ${at.id || at.name} cannot be seen`);
    if (found(at)) return;
  }
  assert.fail("Tab never gets there");
}
await tabTo(({ name }) => name === "Nhắn có thẻ");
await keys.keyboard.press("Enter");
await keys.keyboard.press("Control+A");
await keys.keyboard.type("#tromcap mất xe đạp ở sân đình lúc 5h chiều");
await keys.keyboard.press("Enter");
const typed = keys.locator(".phone.chosen .by-person", { hasText: "mất xe đạp ở sân đình" }).last();
await typed.locator('.kept[data-kept="record"]').waitFor({ state: "attached" });
while (!(await keys.evaluate(() => document.activeElement.matches(".chosen .log")))) {
  await keys.keyboard.press("Shift+Tab");
}
await keys.keyboard.press("ArrowUp");
await keys.keyboard.press("Tab");
const focused = () => keys.evaluate(() => document.activeElement.textContent);
assert.equal(await focused(), "Trả lời");
await keys.keyboard.press("Enter");
assert.equal(await keys.evaluate(() => document.activeElement.id), "text");
await tabTo(({ name }) => name?.startsWith("Viết ở đây: "));
await keys.keyboard.press("Enter");
assert.equal(await keys.evaluate(() => document.activeElement.id), "text");
const moving = await keys.evaluate(() =>
  [...document.querySelectorAll("*")].filter((one) => parseFloat(getComputedStyle(one).transitionDuration) > 0).length);
assert.equal(moving, 0);
see("the keyboard alone writes, answers and changes phones; the focus is always seen; nothing moves for whom it should not");
await end(keys, "with the keyboard");

// ---- on a telephone -----------------------------------------------------------------------------------

const hand = await visit(360, 740, { hasTouch: true });
assert.equal(await hand.locator(".phone:visible").count(), 1);
await keepsItsWidth(hand, "at 360 px");
await shot(hand, "rest-360");
await hand.getByRole("button", { name: "Nhắn có thẻ" }).tap();
const small = await write(hand, "#antt có đám đông tụ tập ở cầu Đồng Và");
await small.locator('.kept[data-kept="record"]').waitFor();
await hand.getByRole("button", { name: "Nhóm sau" }).tap();
await hand.locator("#room").selectOption({ index: 3 });
const chosen = await hand.locator("#room option:checked").textContent();
assert.equal(await hand.locator(".phone:visible").count(), 1);
assert.ok(chosen.startsWith(await hand.locator(".phone:visible h3").textContent()));
const alert = hand.locator(".phone:visible .by-bot.alert").last();
await alert.scrollIntoViewIfNeeded();
await shot(hand, "alert-360");
see("at 360 px one phone at a time, and a way to the others");
await isAccessible(hand, "at 360 px");
await hand.getByRole("button", { name: "Phía bot" }).tap();
await hand.locator(".record").first().waitFor();
await keepsItsWidth(hand, "the bot's side at 360 px");
await isAccessible(hand, "the bot's side at 360 px");
await shot(hand, "bot-360");
see("at 360 px nothing scrolls sideways, and axe finds nothing serious");
await end(hand, "at 360 px");

// ---- another play -------------------------------------------------------------------------------------

const play = await visit(1280, 900);
await play.getByRole("button", { name: "Nhanh 60 lần" }).click();
await play.locator('[data-speed="60"][aria-pressed="true"]').waitFor();
await play.getByLabel("Kịch bản").selectOption("forger");
await play.getByRole("button", { name: "Chạy" }).click();
const title = await play.locator("#scenario option:checked").textContent();
await play.getByText(`${title}: diễn xong, mọi điều kiện cuối đều đúng.`).waitFor({ timeout: 6 * PATIENCE });
see("a play chosen on the page: a new town, played and found as it must be");
await end(play, "after a play");

// ---- who else comes in --------------------------------------------------------------------------------

const elsewhere = await fetch(`${base}/town/act`, {
  method: "POST",
  headers: { "content-type": "application/json", origin: "http://keng.example" },
  body: JSON.stringify({ act: "say", person: "p1", room: "r1", text: "x" }),
});
assert.equal(elsewhere.status, 403);
see("a page from elsewhere cannot act here; nothing was asked for beyond this machine, nothing complained");

await browser.close();
console.log(`${seen} passed, 0 failed`);
