// One phone: a room as its members see it. Every word that somebody wrote becomes text, never markup.

/** A phone keeps this many messages on its screen. */
const KEEPS = 50;

const NAMES = { telegram: "Telegram", zalo_bot: "Zalo", zalo_oa: "Zalo OA", facebook: "Facebook" };
const KINDS = { group: "nhóm", page: "trang", private: "nhắn riêng với bot" };
export const ROLES = { resident: "bà con", officer: "cán bộ", head: "trưởng thôn", admin: "quản trị" };

/** Where people can change what they wrote. */
const EDITS = ["telegram", "facebook"];

const TIME = new Intl.DateTimeFormat("vi-VN", {
  hour: "2-digit", minute: "2-digit", timeZone: "Asia/Ho_Chi_Minh",
});

/** An element with classes and words. */
export function make(tag, classes, words) {
  const element = document.createElement(tag);
  if (classes) element.className = classes;
  if (words !== undefined) element.textContent = words;
  return element;
}

/** One of the icons of index.html. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

/** What people address the bot with stands out in their words. */
function words(text) {
  const line = make("p", "words");
  for (const part of text.split(/((?<!\S)[#@/][\p{L}\p{N}_]+)/u)) {
    line.append(/^[#@/]/.test(part) ? make("b", "tag", part) : part);
  }
  return line;
}

export class Phone {
  /**
   * @param room as the town tells of it
   * @param acts what a person can do here: `choose(phone)`, `reply(message)`, `edit(message)`, `press(message, button)`
   */
  constructor(room, acts) {
    this.room = room;
    this.acts = acts;
    this.messages = new Map();
    this.unread = 0;
    this.draw();
    for (const message of room.messages) this.hear(message);
    this.unread = 0;
  }

  draw() {
    const { room } = this;
    const id = `phone-${room.id}`;
    this.element = make("section", `phone ${room.platform} ${room.kind}`);
    this.element.setAttribute("aria-labelledby", id);
    const head = make("header", "bar");
    const title = make("h3", "", room.title);
    title.id = id;
    const more = [NAMES[room.platform], KINDS[room.kind], ROLES[room.role]];
    head.append(title, make("p", "", more.filter(Boolean).join(" · ")));
    this.log = make("div", "log");
    this.log.tabIndex = 0;
    this.log.setAttribute("role", "log");
    this.log.setAttribute("aria-live", "off");
    this.log.setAttribute("aria-label", `Tin nhắn trong ${room.title}`);
    this.list = make("ol");
    this.log.append(this.list);
    this.log.addEventListener("keydown", (event) => this.walk(event));
    this.foot = make("div", "foot");
    this.open = make("button", "open", "Viết ở đây");
    this.open.type = "button";
    this.open.setAttribute("aria-label", `Viết ở đây: ${room.title}`);
    this.open.addEventListener("click", () => this.acts.choose(this));
    this.foot.append(this.open);
    this.element.append(head, this.log, this.foot);
  }

  /** The composer comes here, and a reader of the screen hears what arrives. */
  take(composer) {
    this.element.classList.add("chosen");
    this.open.hidden = true;
    this.foot.append(composer);
    this.log.setAttribute("aria-live", "polite");
    this.unread = 0;
    this.toEnd();
  }

  leave() {
    this.element.classList.remove("chosen");
    this.open.hidden = false;
    this.log.setAttribute("aria-live", "off");
  }

  /** The log is laid out from its end, where it also stays when something arrives. */
  toEnd() {
    this.log.scrollTop = 0;
  }

  /** A message, a new state of one, or its end. */
  hear(message) {
    const known = this.messages.get(message.id);
    if (message.removed) {
      if (known) {
        known.element.remove();
        this.messages.delete(message.id);
      }
      return;
    }
    const whole = { ...known, ...message };
    whole.element = this.drawMessage(whole);
    this.messages.set(whole.id, whole);
    if (known) {
      known.element.replaceWith(whole.element);
    } else {
      this.unread += 1;
      this.place(whole);
      for (const [id, oldest] of this.messages) {
        if (this.messages.size <= KEEPS) break;
        oldest.element.remove();
        this.messages.delete(id);
      }
    }
  }

  /** Under the post it belongs to, on a wall; else at the end. */
  place(message) {
    const post = this.room.kind === "page" && this.messages.get(message.reply_to);
    if (!post) {
      this.list.append(message.element);
      return;
    }
    message.element.classList.add("comment");
    let last = post.element;
    while (last.nextElementSibling?.classList.contains("comment")) last = last.nextElementSibling;
    last.after(message.element);
  }

  drawMessage(message) {
    const item = make("li", `message ${message.bot ? `by-bot ${message.look}` : "by-person"}`);
    item.tabIndex = -1;
    const who = make("p", "who");
    if (message.bot) who.append(icon("gong"));
    who.append(make("b", "", message.bot ? "Kẻng (bot)" : message.who));
    if (message.role && message.role !== "resident") who.append(make("span", "role", ROLES[message.role]));
    item.append(who);
    const quoted = message.reply_to && this.messages.get(message.reply_to);
    if (quoted && this.room.kind !== "page") item.append(make("blockquote", "", clip(quoted.text, 70)));
    if (message.picture) {
      const figure = make("figure", "picture");
      figure.setAttribute("role", "img");
      figure.setAttribute("aria-label", "Ảnh");
      figure.append(icon("view"));
      item.append(figure);
    }
    if (message.text) item.append(words(message.text));
    if (message.buttons?.length) {
      const row = make("div", "buttons");
      for (const button of message.buttons) {
        const press = make("button", "", button.label);
        press.type = "button";
        press.addEventListener("click", () => this.acts.press(this, message, button));
        row.append(press);
      }
      item.append(row);
    }
    const foot = make("p", "when");
    const time = make("time", "", TIME.format(new Date(message.at)));
    time.dateTime = new Date(message.at).toISOString();
    foot.append(time);
    if (message.edited) foot.append(make("span", "", "đã sửa"));
    if (!message.bot) foot.append(make("span", "kept"));
    const acts = make("span", "acts");
    acts.append(this.act("Trả lời", () => this.acts.reply(this, message)));
    if (message.person && EDITS.includes(this.room.platform)) acts.append(this.act("Sửa", () => this.acts.edit(this, message)));
    foot.append(acts);
    item.append(foot);
    if (message.verdict) judge(item, message.verdict);
    return item;
  }

  act(words, run) {
    const button = make("button", "", words);
    button.type = "button";
    button.tabIndex = -1;
    button.addEventListener("click", run);
    return button;
  }

  /** What the bot kept of a message. */
  judge(id, verdict) {
    const message = this.messages.get(id);
    if (!message || message.bot || sameVerdict(message.verdict, verdict)) return;
    message.verdict = verdict;
    judge(message.element, verdict);
  }

  /** With the arrows from message to message; its acts are then one Tab away. */
  walk(event) {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!step || !(event.target === this.log || event.target.classList.contains("message"))) return;
    const all = [...this.list.children];
    const at = all.indexOf(event.target);
    const next = at < 0 ? all.at(-1) : all[at + step];
    if (!next) return;
    event.preventDefault();
    for (const button of this.list.querySelectorAll(".acts button")) button.tabIndex = -1;
    for (const button of next.querySelectorAll(".acts button")) button.tabIndex = 0;
    next.focus();
  }
}

const VERDICTS = {
  heard: () => "Bot đã nhận, chưa thành vụ",
  record: (verdict) => `Đã ghi · vụ ${verdict.code}`,
  command: () => "Lệnh: đã làm",
  nothing: () => "Không lưu",
  unseen: () => "Bot không nhận được",
  waiting: () => "Bot chưa đọc",
};

function judge(element, verdict) {
  const place = element.querySelector(".kept");
  place.textContent = (VERDICTS[verdict.kept] ?? VERDICTS.waiting)(verdict);
  place.dataset.kept = verdict.kept;
}

function sameVerdict(one, other) {
  return one && one.kept === other.kept && one.code === other.code;
}

/** The start of a text, cut between letters as people see them. */
export function clip(text, length) {
  const letters = [...new Intl.Segmenter("vi").segment(text)];
  if (letters.length <= length) return text;
  return `${letters.slice(0, length).map((letter) => letter.segment).join("")}…`;
}
