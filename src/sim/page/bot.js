// The bot's side: what waits to be sent, how an alert gets on, the day, and the records with what they were read from.

import { clip, make } from "./phone.js";

const LANES = { urgent: "Khẩn", reply: "Trả lời", bulk: "Thường" };
const FIELDS = { kind: "Loại", place: "Nơi", time: "Lúc", urgent: "Khẩn", tag: "Gọi bot" };

/** The most that was waiting in each lane: its bar is full then. */
const most = { urgent: 1, reply: 1, bulk: 1 };

export function drawBot(bot) {
  lanes(bot.lanes);
  alerts(bot.alerts);
  day(bot.day);
  records(bot.records);
}

function put(id, children, nothing) {
  const place = document.getElementById(id);
  place.replaceChildren(...(children.length ? children : [make("p", "note", nothing)]));
}

function bar(label, value, max, told) {
  const row = make("div", "bar-row");
  const progress = make("progress");
  progress.max = Math.max(max, 1);
  progress.value = value;
  progress.setAttribute("aria-label", `${label}: ${told}`);
  row.append(make("span", "", label), progress, make("b", "", told));
  return row;
}

function lanes(waiting) {
  if (!waiting) return put("lanes", [], "Bot đang tắt.");
  put("lanes", Object.entries(LANES).map(([lane, label]) => {
    most[lane] = Math.max(most[lane], waiting[lane]);
    const told = waiting[lane] ? `${waiting[lane].toLocaleString("vi-VN")} đang đợi` : "trống";
    return bar(label, waiting[lane], most[lane], told);
  }));
}

function alerts(all = []) {
  put("alerts", all.map((alert) => {
    const box = make("article", `alert ${alert.state}`);
    box.append(make("h4", "", `${alert.what} · mã ${alert.code}`), make("p", "", clip(alert.text, 110)));
    const rooms = alert.sent + alert.waiting + alert.unknown + alert.failed;
    if (rooms) {
      box.append(bar("Đã gửi", alert.sent, rooms, `${alert.sent}/${rooms} nhóm`));
      const trouble = [];
      if (alert.unknown) trouble.push(`${alert.unknown} chưa rõ`);
      if (alert.failed) trouble.push(`${alert.failed} không gửi được`);
      if (alert.by_hand) box.append(make("p", "note", `Nhờ người đăng tay ở ${alert.by_hand} nhóm bot không vào được`));
      if (trouble.length) box.append(make("p", "trouble", trouble.join(", ")));
    } else {
      box.append(make("p", "note", "Chưa gửi: đợi cán bộ duyệt."));
    }
    return box;
  }), "Chưa có cảnh báo nào.");
}

function day(told) {
  if (!told) return put("day", [], "Chưa có vụ việc nào.");
  const list = make("dl");
  for (const [label, count] of told.counts) {
    const pair = make("div");
    pair.append(make("dt", "", label), make("dd", "", count.toLocaleString("vi-VN")));
    list.append(pair);
  }
  put("day", [list], "");
}

function records(all = []) {
  put("records", all.map((record) => {
    const box = make("li", "record");
    const head = make("h4", "", `${record.kind} · ${record.code}`);
    if (record.urgent) head.append(make("span", "urgent", "khẩn"));
    box.append(head, marked(record.text, record.evidence));
    const why = make("dl");
    for (const { field, words, value } of record.evidence) {
      const pair = make("div");
      const reason = make("dd");
      for (const word of words) reason.append(make("q", `mark ${field}`, word), " ");
      if (value) reason.append(`→ ${value}`);
      pair.append(make("dt", "", FIELDS[field]), reason);
      why.append(pair);
    }
    const more = [record.status, record.village];
    if (record.reports > 1) more.push(`${record.reports} người báo`);
    box.append(why, make("p", "note", more.filter(Boolean).join(" · ")));
    return box;
  }), "Chưa ghi vụ việc nào. Nhắn một tin có thẻ để thử.");
}

/** The report, with the words that told something marked; where two overlap, the first stands. */
function marked(text, evidence) {
  const line = make("p", "report");
  const marks = evidence
    .flatMap(({ field, words }) => words.map((part) => ({ field, part, at: text.indexOf(part) })))
    .filter(({ at }) => at >= 0)
    .sort((one, other) => one.at - other.at || other.part.length - one.part.length);
  let done = 0;
  for (const { field, part, at } of marks) {
    if (at < done) continue;
    line.append(text.slice(done, at), make("mark", field, part));
    done = at + part.length;
  }
  line.append(text.slice(done));
  return line;
}
