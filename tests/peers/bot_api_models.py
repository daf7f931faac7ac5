#!/usr/bin/env python3
"""Judges our Telegram traffic by aiogram's models of the Bot API, which nobody here wrote.

    python3 tests/peers/bot_api_models.py FILE.jsonl...     judge recorded traffic
    python3 tests/peers/bot_api_models.py --self-test       prove that wrong traffic is refused
    python3 tests/peers/bot_api_models.py --record          record every kind of request by
                                                            `cargo test`, then judge it together
                                                            with tests/fixtures/telegram/updates.jsonl

One JSON object a line, of two kinds; unknown keys of a line are ignored:

    {"method": "sendMessage", "request": {...}, "response": {"ok": true, "result": ...}}
    {"update": {"update_id": 1, "message": {...}}}

A line with `"judge": false` or `"becomes": ["not_understood"]` is skipped: it is wrong on purpose.
`request` is the JSON body; `response` (the whole envelope) may be missing or null.

What is judged: the method exists; every field of the request, at any depth, is one that the model
declares, present when required, and of exactly the declared JSON type (no "5" for 5); the result and
every update have the declared shape likewise. The numbers printed are lines judged and lines refused;
the exit code is 0 only if something was judged and nothing refused.

aiogram is installed into a virtual environment of its own (KENG_PEER_CACHE, default: beside the
temporary files); nothing else on the machine changes.
"""

import datetime
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import typing
import venv

AIOGRAM = "3.31.0"  # Bot API 10.3
ROOT = pathlib.Path(__file__).resolve().parents[2]


def enter_environment():
    """Runs this file again inside a virtual environment that has aiogram."""
    try:
        import aiogram

        if aiogram.__version__ == AIOGRAM:
            return
    except ImportError:
        pass
    if os.environ.get("KENG_PEER_INSIDE"):
        sys.exit(f"aiogram {AIOGRAM} could not be installed")
    cache = os.environ.get("KENG_PEER_CACHE") or tempfile.gettempdir()
    home = pathlib.Path(cache) / f"keng-peer-aiogram-{AIOGRAM}"
    python = home / "bin" / "python"
    if not python.exists():
        venv.create(home, with_pip=True)
    have = subprocess.run(
        [python, "-c", f"import aiogram; assert aiogram.__version__ == {AIOGRAM!r}"],
        capture_output=True,
    )
    if have.returncode:
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, f"aiogram=={AIOGRAM}"], check=True)
    os.environ["KENG_PEER_INSIDE"] = "1"
    os.execv(python, [str(python), *sys.argv])


class Judge:
    """Compares JSON with aiogram's models, stricter than pydantic itself would."""

    def __init__(self):
        import inspect

        import aiogram.methods
        import aiogram.types
        import pydantic
        from aiogram.client.default import Default
        from aiogram.methods.base import TelegramMethod

        self.pydantic = pydantic
        self.default = Default
        self.methods = {
            kind.__api_method__: kind
            for _, kind in inspect.getmembers(aiogram.methods, inspect.isclass)
            if issubclass(kind, TelegramMethod) and kind is not TelegramMethod
        }
        self.names = {**vars(typing), **vars(aiogram.types), "datetime": datetime}
        self.update = aiogram.types.Update
        # aiogram's own additions to the types of the Bot API, which no server sends or takes.
        self.foreign = {"from_user": "from"}
        self.hidden = {
            "disable_web_page_preview",
            "reply_to_message_id",
            "allow_sending_without_reply",
        }

    def line(self, line):
        """Every complaint about one line."""
        complaints = []
        if "update" in line:
            complaints += self.model(line["update"], self.update, "update")
        elif "method" in line:
            method = self.methods.get(line["method"])
            if method is None:
                return [f"there is no method {line['method']!r}"]
            where = line["method"]
            request = line.get("request")
            if line.get("files"):
                request = self.out_of_form(request, method)
            complaints += self.model(request, method, where, request=True)
            response = line.get("response")
            if response is not None:
                complaints += self.response(response, method, f"{where} answers")
        else:
            complaints.append("the line holds neither an update nor a method")
        return complaints

    def out_of_form(self, request, method):
        """A call that carries files is a form: whatever is no text stands there as JSON."""
        values = {}
        for name, value in request.items():
            field = method.model_fields.get(name)
            if field is not None and self.value(value, field.annotation, name):
                try:
                    value = json.loads(value)
                except ValueError:
                    pass  # it is judged as it stands
            values[name] = value
        return values

    def response(self, response, method, where):
        if not isinstance(response, dict) or type(response.get("ok")) is not bool:
            return [f"{where}: no envelope with ok"]
        if response["ok"]:
            if "result" not in response:
                return [f"{where}: no result"]
            return self.value(response["result"], method.__returning__, f"{where}.result")
        complaints = []
        if type(response.get("error_code")) is not int:
            complaints.append(f"{where}: an error without error_code")
        if type(response.get("description")) is not str:
            complaints.append(f"{where}: an error without description")
        if "parameters" in response:
            import aiogram.types

            kind = aiogram.types.ResponseParameters
            complaints += self.model(response["parameters"], kind, f"{where}.parameters")
        return complaints

    def model(self, value, kind, where, request=False):
        """An object against a model: its own fields only, the required ones, each of its type."""
        if not isinstance(value, dict):
            return [f"{where}: {shown(value)} is no {kind.__name__}"]
        complaints = []
        fields = {}
        for name, field in kind.model_fields.items():
            name = field.alias or self.foreign.get(name, name)
            if not (request and name in self.hidden):
                fields[name] = field
        for name in value.keys() - fields.keys():
            complaints.append(f"{where}: {kind.__name__} has no field {name!r}")
        for name, field in fields.items():
            if name in value:
                inner = self.value(value[name], field.annotation, f"{where}.{name}")
                complaints += inner
            elif field.is_required():
                complaints.append(f"{where}: {kind.__name__} lacks {name!r}")
        if not complaints:
            try:
                kind.model_validate(value)
            except self.pydantic.ValidationError as error:
                complaints += [f"{where}: {e['msg']} at {e['loc']}" for e in error.errors()]
        return complaints

    def value(self, value, kind, where):
        """A value against an annotation; of several kinds, the one with the fewest complaints."""
        if isinstance(kind, (str, typing.ForwardRef)):
            name = kind if isinstance(kind, str) else kind.__forward_arg__
            kind = eval(name, dict(self.names))  # aiogram's own annotations only
        origin = typing.get_origin(kind)
        arguments = typing.get_args(kind)
        if origin is typing.Annotated:
            return self.value(value, arguments[0], where)
        if origin is typing.Literal:
            return [] if value in arguments else [f"{where}: {shown(value)} is not one of {arguments}"]
        if origin is list:
            if not isinstance(value, list):
                return [f"{where}: {shown(value)} is no list"]
            return [
                complaint
                for i, item in enumerate(value)
                for complaint in self.value(item, arguments[0], f"{where}[{i}]")
            ]
        if origin is not None and arguments:
            # A union; None stands for an absent field, and we never send null.
            tried = [
                self.value(value, argument, where)
                for argument in arguments
                if argument not in (type(None), self.default)
            ]
            return min(tried, key=len) if tried else []
        if kind in (datetime.datetime, datetime.timedelta) or kind is int:
            fits = type(value) is int
        elif kind is float:
            fits = type(value) in (int, float)
        elif kind is bool:
            fits = type(value) is bool
        elif kind is typing.Any:
            fits = True
        elif isinstance(kind, type) and issubclass(kind, self.pydantic.BaseModel):
            return self.model(value, kind, where)
        elif isinstance(kind, type) and issubclass(kind, str):
            fits = type(value) is str
        else:
            return [f"{where}: the judge does not know the kind {kind!r}"]
        name = getattr(kind, "__name__", str(kind))
        return [] if fits else [f"{where}: {shown(value)} is no {name}"]


def shown(value):
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) < 60 else text[:57] + "..."


def skipped(line):
    return line.get("judge") is False or line.get("becomes") == ["not_understood"]


def judge_files(paths):
    judge = Judge()
    judged = refused = 0
    methods = set()
    for path in paths:
        with open(path, encoding="utf-8") as lines:
            for number, raw in enumerate(lines, 1):
                if not raw.strip():
                    continue
                line = json.loads(raw)
                if skipped(line):
                    continue
                judged += 1
                methods.add(line.get("method", "(updates)"))
                complaints = judge.line(line)
                refused += bool(complaints)
                for complaint in complaints:
                    print(f"{path}:{number}: {complaint}", file=sys.stderr)
    print(f"judged by aiogram {AIOGRAM}: {', '.join(sorted(methods))}")
    print(f"{judged - refused} passed, {refused} failed")
    return 0 if judged and not refused else 1


def self_test():
    """Right traffic passes; each small wrong is refused, and for the reason planted."""
    judge = Judge()
    chat = {"id": -1001, "type": "supergroup", "title": "Tổ 5"}
    sent = {"message_id": 21, "date": 1790000000, "chat": chat, "text": "x"}
    send = {
        "method": "sendMessage",
        "request": {
            "chat_id": -1001,
            "text": "x",
            "message_thread_id": 77,
            "link_preview_options": {"is_disabled": True},
            "reply_parameters": {"message_id": 10, "allow_sending_without_reply": True},
            "reply_markup": {"inline_keyboard": [[{"text": "Gửi", "callback_data": "ok"}]]},
        },
        "response": {"ok": True, "result": sent},
    }
    user = {"id": 1, "is_bot": False, "first_name": "Lan"}
    update = {"update": {"update_id": 1, "message": {**sent, "from": user}}}
    slow = {
        "ok": False,
        "error_code": 429,
        "description": "Too Many Requests: retry after 3",
        "parameters": {"retry_after": 3},
    }
    right = [
        send,
        update,
        {"method": "getMe", "request": {}},
        {"method": "deleteMessage", "request": {"chat_id": 1, "message_id": 2},
         "response": {"ok": True, "result": True}},
        {**send, "response": slow},
        {"method": "getUpdates",
         "request": {"offset": 6, "limit": 1, "timeout": 0, "allowed_updates": ["message"]},
         "response": {"ok": True, "result": [update["update"]]}},
    ]

    def changed(line, path, value):
        copy = json.loads(json.dumps(line))
        place = copy
        for key in path[:-1]:
            place = place[key]
        if value is None:
            del place[path[-1]]
        else:
            place[path[-1]] = value
        return copy

    request, result = ("request",), ("response", "result")
    message = ("update", "message")
    wrong = [
        (changed(send, ("method",), "sendMesage"), "there is no method"),
        (changed(send, ("method",), "SendMessage"), "there is no method"),
        (changed(send, (*request, "chat_id"), None), "lacks 'chat_id'"),
        (changed(send, (*request, "text"), 5), "is no str"),
        (changed(send, (*request, "chatid"), 5), "has no field 'chatid'"),
        (changed(send, (*request, "message_thread_id"), "77"), "is no int"),
        (changed(send, (*request, "reply_to_message_id"), 10), "has no field"),
        (changed(send, (*request, "from_user"), user), "has no field 'from_user'"),
        (changed(send, (*request, "link_preview_options", "is_disabled"), "yes"), "is no bool"),
        (changed(send, (*request, "link_preview_options", "disabled"), True), "has no field"),
        (changed(send, (*request, "reply_parameters", "message_id"), "10"), "is no int"),
        (changed(send, (*request, "reply_parameters", "id"), 10), "has no field 'id'"),
        (changed(send, (*request, "reply_markup", "inline_keyboard"), [{"text": "x"}]), "no list"),
        (changed(send, (*request, "reply_markup", "inline_keyboard", 0, 0, "data"), "x"),
         "has no field"),
        (changed(send, (*result, "message_id"), "21"), "is no int"),
        (changed(send, (*result, "chat", "type"), None), "lacks 'type'"),
        (changed(send, ("response", "result"), True), "is no Message"),
        (changed(send, ("response",), {"result": sent}), "no envelope"),
        (changed({**send, "response": slow}, ("response", "error_code"), None), "error_code"),
        (changed({**send, "response": slow}, ("response", "parameters", "retry_after"), "3"),
         "is no int"),
        (changed(update, ("update", "update_id"), None), "lacks 'update_id'"),
        (changed(update, (*message, "date"), "2026-10-01T07:00:00"), "is no datetime"),
        (changed(update, (*message, "from", "is_bot"), None), "lacks 'is_bot'"),
        (changed(update, (*message, "from_user"), user), "has no field 'from_user'"),
        (changed(update, (*message, "entities"), [{"type": "hashtag", "offset": 0}]),
         "lacks 'length'"),
        ({"something": "else"}, "neither"),
    ]
    failed = 0
    for line in right:
        complaints = judge.line(line)
        if complaints:
            failed += 1
            print(f"right, and refused: {shown(line)}: {complaints}", file=sys.stderr)
    for line, wanted in wrong:
        complaints = judge.line(line)
        if not any(wanted in complaint for complaint in complaints):
            failed += 1
            print(f"wanted {wanted!r}: {shown(line)}: {complaints}", file=sys.stderr)
    print(f"{len(right) + len(wrong) - failed} passed, {failed} failed")
    return 1 if failed else 0


def record_and_judge():
    with tempfile.TemporaryDirectory() as scratch:
        calls = pathlib.Path(scratch) / "calls.jsonl"
        command = ["cargo", "test", "--quiet", "--lib", "every_kind_of_request"]
        environment = {**os.environ, "KENG_RECORD": str(calls)}
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
        return judge_files([calls, ROOT / "tests/fixtures/telegram/updates.jsonl"])


def main():
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__)
        return 0 if arguments else 2
    enter_environment()
    if arguments == ["--self-test"]:
        return self_test()
    if arguments == ["--record"]:
        return record_and_judge()
    return judge_files(arguments)


if __name__ == "__main__":
    sys.exit(main())
