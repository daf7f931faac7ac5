"""Two Python clients of the Zalo Bot Platform, each by another author, judge our simulator.

Started by run.sh, with the simulator's address in KENG_TOWN. Prints one line for each judgement, ends with
their count, and exits with 1 when one failed.
"""

import asyncio
import http.server
import json
import os
import queue
import sys
import threading
import time
import urllib.request

from zalo_bot import Bot, Update
from zalo_bot import error as bot_error
from zalo_bot_mcp import zalo_api

TOWN = os.environ["KENG_TOWN"]
TOKEN = "60218834:kengzalokengzalokengzalo"
SECRET = "bi-mat-cua-trong-tai"

passed = 0
failed = 0


def judge(what, holds, shown=""):
    """One judgement."""
    global passed, failed
    if holds:
        passed += 1
        print(f"PASS  {what}")
    else:
        failed += 1
        print(f"FAIL  {what}: {shown!r}")


def sim(act, **body):
    """The simulator's own control API."""
    request = urllib.request.Request(f"{TOWN}/sim/{act}", json.dumps(body).encode(), method="POST")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def wait_for_the_town():
    """The simulator has just been started."""
    for _ in range(200):
        try:
            return sim("stats")
        except OSError:
            time.sleep(0.05)
    sys.exit("the simulator does not answer")


class Ear(http.server.BaseHTTPRequestHandler):
    """Takes webhook calls."""

    heard = queue.Queue()

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.heard.put((self.headers.get("X-Bot-Api-Secret-Token"), body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


async def raised(awaitable):
    """The exception that a call ends with, or None."""
    try:
        await awaitable
    except Exception as error:  # noqa: BLE001: any of theirs is a judgement
        return error
    return None


async def python_zalo_bot(lan, group):
    """PyPI python-zalo-bot 0.1.9: everything as a form."""
    who = "python-zalo-bot"
    async with Bot(TOKEN, base_url=TOWN) as bot:
        me = await bot.get_me()
        judge(f"{who}: getMe", me is not None and bool(me.id), me)
        sim("mention", person=lan, chat=group, text="mất xe ở cổng chợ")
        update = await bot.get_update(timeout=5)
        message = update.message
        judge(f"{who}: a mention in a group", message.text == "@Bot Kẻng mất xe ở cổng chợ", message.text)
        judge(f"{who}: chat.id and chat_type", (message.chat.id, message.chat.type) == (group, "GROUP"), message.chat)
        judge(f"{who}: from", message.from_user.id == lan and message.from_user.display_name == "Chị Mận", message.from_user)
        late = abs(message.date.timestamp() - time.time())
        judge(f"{who}: date in milliseconds", late < 60, late)
        sim("photo", person=lan, chat=lan, caption="ảnh cổng chợ")
        update = await bot.get_update(timeout=5)
        judge(f"{who}: a photo in private", "zdn.vn/" in (update.message.photo_url or ""), update)
        sent = await bot.send_message(group, "Đã ghi nhận")
        judge(f"{who}: sendMessage", bool(sent.message_id), sent)
        photo = await bot.send_photo(group, "sơ đồ", "https://example.org/so-do.png")
        judge(f"{who}: sendPhoto", bool(photo.message_id), photo)
        sticker = await bot.send_sticker(group, "91c2f0aa")
        judge(f"{who}: sendSticker", bool(sticker.message_id), sticker)
        error = await raised(bot.send_chat_action(group, "typing"))
        judge(f"{who}: sendChatAction", error is None or not isinstance(error, bot_error.ZaloError), error)
        # Whether an idle poll is an error to it depends on the status alone.
        sim("switches", idle="status")
        error = await raised(bot.get_update(timeout=1))
        judge(f"{who}: an idle poll by status is a NetworkError", isinstance(error, bot_error.NetworkError), error)
        sim("switches", idle="body")
        judge(f"{who}: an idle poll by body is nothing", await bot.get_update(timeout=1) is None)
        error = await raised(bot.send_message(group, ""))
        judge(f"{who}: an empty text is a BadRequest", isinstance(error, bot_error.BadRequest), error)
        error = await raised(bot.send_message(group, "ừ" * 2001))
        judge(f"{who}: a text of 2001 is a BadRequest", isinstance(error, bot_error.BadRequest), error)
        error = await raised(bot._get_webhook_info_async())
        judge(f"{who}: getWebhookInfo of a clean bot is not found", error is not None, error)
        for url, why in [("http://keng.example.vn/x", "http"), ("https://127.0.0.1/x", "private")]:
            sim("switches", strict_hooks=True)
            error = await raised(bot._set_webhook_async(url, SECRET))
            judge(f"{who}: setWebhook refuses {why}", isinstance(error, bot_error.BadRequest), error)
        judge(f"{who}: setWebhook", await bot._set_webhook_async("https://keng.example.vn/x", SECRET))
        info = await bot._get_webhook_info_async()
        judge(f"{who}: getWebhookInfo", info.url == "https://keng.example.vn/x", info)
        error = await raised(bot.get_update(timeout=1))
        judge(f"{who}: no poll beside a webhook", isinstance(error, bot_error.BadRequest), error)
        judge(f"{who}: deleteWebhook", await bot._delete_webhook_async())
        judge(f"{who}: deleteWebhook when none is set", await bot._delete_webhook_async())
    wrong = Bot("1:wrong", base_url=TOWN)
    error = await raised(wrong.initialize())
    judge(f"{who}: a void token is an InvalidToken", isinstance(error, bot_error.InvalidToken), error)


async def zalo_bot_mcp(lan, group):
    """PyPI zalo-bot-mcp 0.1.1: JSON, recorded from a live bot."""
    who = "zalo-bot-mcp"
    zalo_api.BASE_URL = TOWN
    async with zalo_api.ZaloBotApi(TOKEN) as api:
        me = await api.get_me()
        judge(f"{who}: getMe", me["account_type"] == "BASIC" and me["can_join_groups"] is True, me)
        for zero in (False, True):
            sim("switches", zero=zero, mention_kept=zero)
            sim("mention", person=lan, chat=group, text="mất xe ở cổng chợ")
            message = zalo_api.parse_update(await api.get_updates(timeout=5))
            wanted = "@Bot Kẻng mất xe ở cổng chợ" if zero else "mất xe ở cổng chợ"
            judge(f"{who}: a mention in a group, error_code {'0' if zero else 'absent'}", message and message.text == wanted, message)
            judge(f"{who}: its chat", message and (message.chat_id, message.chat_type) == (group, "GROUP"), message)
        sim("withheld", person=lan, chat=group)
        update = await api.get_updates(timeout=5)
        judge(f"{who}: a withheld message has no text", zalo_api.parse_update(update) is None and update["event_name"] == "message.unsupported.received", update)
        for idle in ("status", "body"):
            sim("switches", idle=idle)
            judge(f"{who}: an idle poll by {idle} is nothing", await api.get_updates(timeout=1) is None)
        sent = await api.send_message(group, "**Đã ghi nhận**", parse_mode="markdown")
        judge(f"{who}: sendMessage", bool(sent["message_id"]) and sent["date"] > 10**12, sent)
        judge(f"{who}: sendChatAction has no result", await api.send_chat_action(group) is None)
        judge(f"{who}: getWebhookInfo of a clean bot is None", await api.get_webhook_info() is None)
        sim("switches", quota={"monthly": 1, "both_ways": False})
        error = await raised(api.send_message(group, "hết tháng"))
        judge(f"{who}: a used-up month is transient", isinstance(error, zalo_api.ZaloTransientError), error)
        sim("switches", quota=None)
        sim("faults", rules=[{"method": "sendMessage", "times": 1, "fault": "html", "code": 502}])
        error = await raised(api.send_message(group, "qua proxy"))
        judge(f"{who}: a proxy's page is transient", isinstance(error, zalo_api.ZaloTransientError), error)
        judge(f"{who}: no error holds the token", TOKEN not in str(error), error)


def webhooks(lan):
    """What our simulator posts is read by both, and carries the secret."""
    server = http.server.HTTPServer(("127.0.0.1", 0), Ear)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/hook"
    sim("switches", strict_hooks=False, hook="flat", probe="event", mention_kept=True)
    bot = Bot(TOKEN, base_url=TOWN)
    judge("webhook: set on loopback", bot.set_webhook(url, SECRET))
    secret, probe = Ear.heard.get(timeout=10)
    judge("webhook: the probe carries the secret", secret == SECRET, secret)
    judge("webhook: the probe is a test event", json.loads(probe)["event_name"] == "webhook.test", probe)
    sim("say", person=lan, chat=lan, text="mất gà")
    _, body = Ear.heard.get(timeout=10)
    update = Update.de_json(json.loads(body), bot)
    judge("webhook: flat, read by python-zalo-bot", update.message.text == "mất gà", body)
    judge("webhook: flat, read by zalo-bot-mcp", zalo_api.parse_update(json.loads(body)).text == "mất gà", body)
    sim("switches", hook="wrapped")
    sim("say", person=lan, chat=lan, text="mất vịt")
    _, body = Ear.heard.get(timeout=10)
    wrapped = json.loads(body)
    judge("webhook: wrapped", wrapped["ok"] is True and zalo_api.parse_update(wrapped["result"]).text == "mất vịt", body)
    judge("webhook: deleted", Bot(TOKEN, base_url=TOWN).delete_webhook())
    server.shutdown()


def main():
    wait_for_the_town()
    lan = sim("person", name="Chị Mận")["id"]
    group = sim("group", title="Xóm Đình", bot=True)["id"]
    asyncio.run(python_zalo_bot(lan, group))
    asyncio.run(zalo_bot_mcp(lan, group))
    webhooks(lan)
    sim("switches", idle="body", zero=False, hook="flat", strict_hooks=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
