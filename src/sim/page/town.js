// The page of the town: takes the state, listens to what happens, and lets a visitor act as anybody.

import { Phone, ROLES, clip, icon, make } from "./phone.js";
import { drawBot } from "./bot.js";

const byId = (id) => document.getElementById(id);
const CLOCK = new Intl.DateTimeFormat("vi-VN", {
  weekday: "long", hour: "2-digit", minute: "2-digit", timeZone: "Asia/Ho_Chi_Minh",
});
/** Tried out by a newcomer; each names what it shows. */
const TRIES = {
  tagged: {
    text: "#tromcap mất xe Wave ở cổng chợ lúc 3h sáng",
    told: "Đã viết sẵn một tin có thẻ #tromcap. Bấm Gửi: bot ghi thành vụ việc và trả lời một dòng có mã.",
  },
  plain: {
    text: "Trưa nay nhà ai có giỗ mà thơm thế bà con ơi",
    told: "Đã viết sẵn một tin thường. Bấm Gửi: bot không trả lời và không lưu lại gì.",
  },
  alert: {
    text: "/canhbao Có người giả công an gọi điện bảo cài ứng dụng lạ. Bà con không bấm link, không đọc mã OTP.",
    told: "Đây là điện thoại của cán bộ. Bấm Gửi, đọc bản xem trước, rồi bấm nút “Gửi cho … nhóm” của bot, hoặc nhắn OK.",
  },
};
const FAULTS = {
  latency: "Chậm", too_many: "“Gửi nhiều quá” (429)", lost_answers: "Nuốt câu trả lời", told_twice: "Báo tin hai lần",
  reordered: "Báo tin lộn thứ tự", expired_token: "Token hết hạn", outage: "Sập hẳn",
};
const PLATFORMS = { telegram: "Telegram", zalo_bot: "Zalo Bot", zalo_oa: "Zalo OA", facebook: "Facebook" };
const PLAYS = {
  running: "đang diễn…",
  checking: "diễn xong, đang kiểm lại (bot nghỉ một lát)…",
  holds: "diễn xong, mọi điều kiện cuối đều đúng.",
  differs: "diễn xong, có điều khác với kịch bản. Nếu vừa tự tay nhắn thêm hay gây sự cố thì đó là chuyện thường:",
};

/** How the bot is called on the list from which people on Zalo pick its name. */
const BOT_NAME = "@Bot Kẻng";

/** What became of a visitor's message, in a sentence. */
const FATES = {
  record: ({ code }) => `Bot đã ghi tin này vào vụ ${code} và trả lời. Mục “Phía bot” cho thấy chữ nào cho biết loại việc, nơi, lúc.`,
  nothing: () => "Tin này không gửi cho bot: bot bỏ qua, không lưu lại gì.",
  command: () => "Đây là một lệnh: bot làm, rồi trả lời ngay trong điện thoại này.",
  heard: () => "Bot đã nhận tin này và trả lời; nó chưa thành một vụ việc.",
  unseen: () => "Zalo chỉ chuyển cho bot những tin có chọn tên bot (nút @bot): tin này bot không nhận được.",
};

const phones = new Map();
const people = new Map();
let chosen = null;
let filter = "all";
let lastBot = null;
/** The visitor's last message, until it is known what became of it. */
let mine = null;

// ---- what the server tells ----------------------------------------------------------------------------

async function start() {
  const state = await (await fetch("/town/state")).json();
  for (const person of state.people) people.set(person.id, person);
  const open = new Set(state.rooms.map((room) => room.id));
  const staff = state.people.filter((person) => person.role !== "resident" && !open.has(person.id));
  for (const room of inOrder([...state.rooms, ...staff.map(privateRoom)])) addPhone(room);
  document.body.classList.toggle("no-bot", !state.with_bot);
  if (!state.with_bot) tell("Ở đây chỉ có xã, chưa có bot nào: hãy nối bot của mình vào các địa chỉ mà keng town đã in ra.");
  drawTown(state);
  drawSwitcher();
  show("all");
  choose(phones.values().next().value, { quietly: true });
  listen(state);
}

function addPhone(room) {
  const phone = new Phone({ ...room, messages: room.messages.map(toMessage), role: roleOf(room) }, acts);
  phones.set(room.id, phone);
  byId("phones").append(phone.element);
  return phone;
}

/** Somebody's chat with the bot, before the first word in it; it goes by the person's id. */
function privateRoom(person) {
  return { id: person.id, platform: person.platform, title: person.name, kind: "private", members: 1, messages: [] };
}

function openPrivate(id) {
  if (!people.has(id)) return undefined;
  const phone = addPhone(privateRoom(people.get(id)));
  drawSwitcher();
  show(filter);
  return phone;
}

/** First what tells the story: one of each kind, and who alerts and who looks after a village. */
function inOrder(rooms) {
  const groups = rooms.filter((room) => room.kind !== "private");
  const staff = rooms.filter(isStaff);
  const group = (platform) => groups.find((room) => room.platform === platform);
  const duty = (role) => staff.find((room) => roleOf(room) === role);
  const first = [group("zalo_oa"), group("telegram"), duty("officer"), group("facebook"), group("zalo_bot"), duty("head")];
  const rest = rooms.filter((room) => room.kind === "private" && !isStaff(room));
  return [...new Set([...first.filter(Boolean), ...groups, ...staff, ...rest])];
}

function membersOf(room) {
  if (room.kind === "private") return [people.get(room.id)].filter(Boolean);
  return [...people.values()].filter((person) => person.rooms.includes(room.id));
}

/** What the person of a private chat is. */
function roleOf(room) {
  return room.kind === "private" ? people.get(room.id)?.role : undefined;
}

function isStaff(room) {
  return ["officer", "head", "admin"].includes(roleOf(room));
}

function listen({ era, seq }) {
  const stream = new EventSource(`/town/events?era=${era}&after=${seq}`);
  const waiting = [];
  const flush = () => {
    for (const event of waiting.splice(0)) {
      const phone = phones.get(event.room) ?? openPrivate(event.room);
      phone?.hear(toMessage(event));
    }
    if (lastBot) judgeAll();
    drawUnread();
  };
  // A storm is drawn once for each frame, not once for each message.
  stream.onmessage = ({ data }) => {
    if (waiting.push(JSON.parse(data)) === 1) requestAnimationFrame(flush);
  };
  stream.addEventListener("town", ({ data }) => drawTown(JSON.parse(data)));
  stream.addEventListener("bot", ({ data }) => {
    lastBot = JSON.parse(data);
    drawBot(lastBot);
    judgeAll();
    drawAlive();
  });
  // So much was missed that it is quicker to begin anew.
  stream.addEventListener("reset", () => location.reload());
  stream.onerror = () => {
    byId("alive").textContent = "Mất liên lạc với xã, đang nối lại…";
    byId("alive").dataset.alive = "no";
  };
  stream.onopen = drawAlive;
}

/** A message of the town, as a phone shows it. */
function toMessage(message) {
  const bot = message.from.kind === "bot";
  return {
    ...message,
    id: message.message_id,
    bot,
    look: bot ? lookOf(message) : "",
    person: message.from.id,
    who: message.from.name,
    role: people.get(message.from.id)?.role,
  };
}

/** Alerts stand out, then answers to somebody. */
function lookOf({ text, reply_to }) {
  if (text.includes("Mã kiểm tra: ")) return /HẾT CẢNH BÁO|ĐÃ THU HỒI/.test(text) ? "over" : "alert";
  // Where nothing can be quoted, an answer stands alone.
  return reply_to || text.startsWith("✅") ? "receipt" : "";
}

function judgeAll() {
  for (const [room, verdicts] of Object.entries(lastBot.messages ?? {})) {
    const phone = phones.get(room);
    for (const [id, verdict] of Object.entries(verdicts)) phone?.judge(id, verdict);
  }
  const fate = mine && phones.get(mine.room)?.messages.get(mine.id)?.verdict;
  if (fate && FATES[fate.kept]) {
    tell(FATES[fate.kept](fate));
    mine = null;
  }
}

// ---- what is drawn ------------------------------------------------------------------------------------

function drawTown(state) {
  const clock = byId("clock");
  clock.textContent = CLOCK.format(new Date(state.clock));
  clock.dateTime = new Date(state.clock).toISOString();
  for (const button of document.querySelectorAll("[data-speed]")) {
    button.setAttribute("aria-pressed", String(Number(button.dataset.speed) === state.speed));
  }
  const said = Object.values(state.counts).reduce((sum, { people, bot }) => sum + people + bot, 0);
  byId("sample").hidden = state.rooms_in_all <= phones.size;
  byId("sample").textContent =
    `Xã có ${state.rooms_in_all.toLocaleString("vi-VN")} cuộc trò chuyện; trang này cho xem ${phones.size}. ` +
    `Đến giờ có ${said.toLocaleString("vi-VN")} tin nhắn.`;
  drawScenarios(state);
  drawFaults(state.faults);
}

function drawAlive() {
  const alive = byId("alive");
  alive.textContent = !lastBot ? "" : lastBot.alive ? "Bot đang chạy" : "Bot đang tắt";
  alive.dataset.alive = lastBot?.alive ? "yes" : "no";
}

function drawScenarios({ scenarios, scenario }) {
  byId("scenario-form").hidden = scenarios.length === 0;
  const select = byId("scenario");
  if (select.options.length !== scenarios.length) {
    select.replaceChildren(...scenarios.map(({ name, title }) => new Option(title, name)));
    if (scenario) select.value = scenario.name;
  }
  const words = scenario ? `${scenario.title}: ${PLAYS[scenario.state]}` : "";
  if (byId("scenario-told").textContent === words) return;
  byId("scenario-told").textContent = words;
  byId("scenario-failures").replaceChildren(...(scenario?.failures ?? []).map((why) => make("li", "", why)));
}

function drawFaults(faults) {
  const on = new Set(faults.map(({ platform, fault }) => `fault-${platform}-${fault}`));
  for (const box of byId("faults").querySelectorAll("input")) box.checked = on.has(box.id);
  byId("faults-on").textContent = faults.length ? `Gây sự cố (đang có ${faults.length})` : "Gây sự cố";
}

function buildFaults() {
  byId("faults").replaceChildren(...Object.entries(PLATFORMS).map(([platform, name]) => {
    const set = make("fieldset");
    set.append(make("legend", "", name));
    for (const [fault, words] of Object.entries(FAULTS)) {
      const label = make("label");
      const box = make("input");
      box.type = "checkbox";
      box.id = `fault-${platform}-${fault}`;
      box.addEventListener("change", () => post("fault", { platform, fault, on: box.checked }));
      label.append(box, words);
      set.append(label);
    }
    return set;
  }));
}

function drawSwitcher() {
  const select = byId("room");
  const groups = new Map();
  for (const { room } of phones.values()) {
    const name = room.kind === "private" ? "Nhắn riêng với bot" : PLATFORMS[room.platform];
    groups.set(name, [...(groups.get(name) ?? []), room]);
  }
  select.replaceChildren(...[...groups].map(([name, rooms]) => {
    const group = make("optgroup");
    group.label = name;
    group.append(...rooms.map((room) => new Option(room.title, room.id)));
    return group;
  }));
  if (chosen) select.value = chosen.room.id;
}

function drawUnread() {
  for (const option of byId("room").options) {
    const { room, unread } = phones.get(option.value);
    const words = unread && option.value !== chosen?.room.id ? `${room.title} (${unread} mới)` : room.title;
    if (option.textContent !== words) option.textContent = words;
  }
}

function show(what) {
  filter = what;
  for (const button of document.querySelectorAll("[data-filter]")) {
    button.setAttribute("aria-pressed", String(button.dataset.filter === what));
  }
  for (const { room, element } of phones.values()) {
    const platform = room.platform.startsWith("zalo") ? "zalo" : room.platform;
    const staff = isStaff(room);
    element.hidden = !(what === "all" || (what === "staff" ? staff : platform === what && room.kind !== "private"));
  }
}

function tell(words) {
  byId("told").textContent = words;
}

// ---- what a visitor does ------------------------------------------------------------------------------

async function post(where, body) {
  const answer = await fetch(`/town/${where}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  }).catch(() => null);
  if (answer?.ok) return answer.status === 200 ? answer.json() : {};
  const why = answer ? await answer.text() : "không nối được với xã";
  tell(`Không làm được: ${clip(why, 200)}`);
  return null;
}

const composer = {
  form: make("form", "composer"),
  /** The message that is answered or edited. */
  about: null,
  build() {
    const about = make("p", "about");
    about.hidden = true;
    const words = make("span");
    const drop = make("button", "", "Bỏ");
    drop.type = "button";
    drop.addEventListener("click", () => this.drop());
    about.append(words, drop);
    const person = make("select", "person");
    person.id = "person";
    const personLabel = make("label", "", "Đóng vai");
    personLabel.htmlFor = "person";
    const who = make("div", "who-row");
    const aside = make("button", "apart", "Nhắn riêng");
    aside.type = "button";
    aside.addEventListener("click", () => choose(phones.get(person.value) ?? openPrivate(person.value)));
    who.append(personLabel, person, aside);
    const text = make("textarea");
    text.id = "text";
    text.rows = 2;
    text.enterKeyHint = "send";
    const textLabel = make("label", "aside", "Tin nhắn");
    textLabel.htmlFor = "text";
    const photo = make("button", "photo");
    photo.type = "button";
    photo.setAttribute("aria-pressed", "false");
    photo.setAttribute("aria-label", "Kèm một ảnh");
    photo.append(icon("photo"));
    photo.addEventListener("click", () => {
      photo.setAttribute("aria-pressed", String(photo.getAttribute("aria-pressed") !== "true"));
    });
    const name = make("button", "name", "@bot");
    name.type = "button";
    name.setAttribute("aria-label", "@bot: chọn tên bot");
    name.addEventListener("click", () => {
      text.value = `${BOT_NAME} ${text.value}`;
      text.focus();
    });
    const send = make("button", "send", "Gửi");
    send.type = "submit";
    const row = make("div", "write-row");
    row.append(textLabel, text, name, photo, send);
    this.form.append(about, who, row);
    // Enter sends; while a Vietnamese keyboard is composing a letter it only ends the letter.
    text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        this.form.requestSubmit();
      }
      if (event.key === "Escape") this.drop();
    });
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    Object.assign(this, { aboutLine: about, aboutWords: words, person, aside, text, photo, name });
  },
  open(phone) {
    this.drop();
    const chosenBefore = phone.person;
    const order = ["resident", "officer", "head", "admin"];
    this.person.replaceChildren(...order.flatMap((role) => {
      const those = membersOf(phone.room).filter((person) => person.role === role);
      if (!those.length) return [];
      const group = make("optgroup");
      group.label = ROLES[role];
      group.append(...those.map((person) => new Option(person.name, person.id)));
      return [group];
    }));
    if (chosenBefore) this.person.value = chosenBefore;
    this.aside.hidden = phone.room.kind === "private";
    // What a platform cannot do is not offered.
    this.photo.hidden = phone.room.platform === "facebook";
    this.photo.setAttribute("aria-pressed", "false");
    this.name.hidden = !(phone.room.platform === "zalo_bot" && phone.room.kind === "group");
  },
  /** Answers or edits from now on. */
  take(what, message) {
    this.about = { what, message };
    this.aboutLine.hidden = false;
    this.aboutWords.textContent = `${what === "edit" ? "Sửa" : "Trả lời"}: ${clip(message.text || "ảnh", 60)}`;
    if (what === "edit") {
      this.text.value = message.text;
      this.person.value = message.person;
    }
    this.text.focus();
  },
  drop() {
    if (this.about?.what === "edit") this.text.value = "";
    this.about = null;
    this.aboutLine.hidden = true;
  },
  async send() {
    const text = this.text.value.trim();
    const photo = this.photo.getAttribute("aria-pressed") === "true";
    if (!text && !photo) return;
    const act = this.about?.what ?? (photo ? "photo" : "say");
    const sent = await post("act", {
      act, person: this.person.value, room: chosen.room.id, text, to: this.about?.message.id ?? null,
    });
    if (!sent) return;
    mine = sent.message_id ? { room: chosen.room.id, id: sent.message_id } : null;
    chosen.person = this.person.value;
    this.about = null;
    this.aboutLine.hidden = true;
    this.text.value = "";
    this.photo.setAttribute("aria-pressed", "false");
    chosen.toEnd();
  },
};

const acts = {
  choose: (phone) => choose(phone),
  reply(phone, message) {
    if (phone !== chosen) choose(phone);
    composer.take("reply", message);
  },
  edit(phone, message) {
    if (phone !== chosen) choose(phone);
    composer.take("edit", message);
  },
  press(phone, message, button) {
    if (phone !== chosen) choose(phone);
    post("act", {
      act: "press", person: composer.person.value, room: phone.room.id, to: message.id, button: button.data,
    });
  },
};

function choose(phone, { quietly = false } = {}) {
  if (!phone) return;
  chosen?.leave();
  chosen = phone;
  for (const { element } of phones.values()) element.classList.toggle("shown", element === phone.element);
  phone.take(composer.form);
  composer.open(phone);
  phone.element.scrollIntoView({ block: "nearest" });
  byId("room").value = phone.room.id;
  drawUnread();
  if (!quietly) composer.text.focus();
}

function tryOut(name) {
  const { text, told } = TRIES[name];
  const wanted = name === "alert"
    ? ({ room }) => roleOf(room) === "officer"
    : ({ room }) => room.kind === "group" && room.platform !== "zalo_bot";
  const current = chosen && wanted(chosen) && !chosen.element.hidden ? chosen : [...phones.values()].find(wanted);
  if (!current) return;
  if (current.element.hidden) show("all");
  choose(current);
  composer.text.value = text;
  tell(told);
}

function step(by) {
  const all = [...phones.values()];
  const at = all.indexOf(chosen);
  choose(all[(at + by + all.length) % all.length], { quietly: true });
}

function look(view) {
  document.body.dataset.view = view;
  byId("look-phones").setAttribute("aria-pressed", String(view === "phones"));
  byId("look-bot").setAttribute("aria-pressed", String(view === "bot"));
}

function wire() {
  composer.build();
  byId("look-phones").addEventListener("click", () => look("phones"));
  byId("look-bot").addEventListener("click", () => look("bot"));
  byId("room").addEventListener("change", ({ target }) => choose(phones.get(target.value), { quietly: true }));
  byId("room-before").addEventListener("click", () => step(-1));
  byId("room-after").addEventListener("click", () => step(1));
  byId("keeps").addEventListener("click", ({ currentTarget }) => {
    const on = currentTarget.getAttribute("aria-checked") !== "true";
    currentTarget.setAttribute("aria-checked", String(on));
    document.body.classList.toggle("keeps-hidden", !on);
  });
  byId("digest").addEventListener("click", () => {
    const desk = [...phones.values()].find(({ room }) => roleOf(room) === "head");
    if (!desk) return;
    show("all");
    look("phones");
    choose(desk, { quietly: true });
    post("act", { act: "say", person: composer.person.value, room: desk.room.id, text: "/tonghop" });
  });
  byId("scenario-form").addEventListener("submit", (event) => {
    event.preventDefault();
    post("scenario", { name: byId("scenario").value });
  });
  for (const button of document.querySelectorAll("[data-filter]")) {
    button.addEventListener("click", () => show(button.dataset.filter));
  }
  for (const button of document.querySelectorAll("[data-try]")) {
    button.addEventListener("click", () => tryOut(button.dataset.try));
  }
  for (const button of document.querySelectorAll("[data-speed]")) {
    button.addEventListener("click", () => post("clock", { speed: Number(button.dataset.speed) }));
  }
  for (const button of document.querySelectorAll("[data-advance]")) {
    button.addEventListener("click", () => post("clock", { advance: Number(button.dataset.advance) }));
  }
  for (const button of document.querySelectorAll("[data-bot]")) {
    button.addEventListener("click", () => post("bot", { act: button.dataset.bot }));
  }
}

wire();
buildFaults();
start().catch(() => tell("Không lấy được trạng thái của xã. Tải lại trang để thử lại."));
