"""The work of Kẻng's door, done with aiogram (https://aiogram.dev): poll, keep the tagged messages on disk
before the offset moves, answer each with one line. Run by `benches/peers/run.sh`."""

import asyncio
import json
import os
import re

from aiogram import Bot, Dispatcher, F
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.types import Message

TAGGED = re.compile(r"#\w+")
rows: list[str] = []
answers: list[Message] = []


async def main() -> None:
    session = AiohttpSession(api=TelegramAPIServer.from_base(os.environ["KENG_PEER_API"]))
    bot = Bot(os.environ["KENG_PEER_TOKEN"], session=session)
    dispatcher = Dispatcher()

    @dispatcher.message(F.text.regexp(TAGGED, mode="search"))
    async def tagged(message: Message) -> None:
        row = {"chat": message.chat.id, "id": message.message_id, "text": message.text}
        rows.append(json.dumps(row, ensure_ascii=False))
        answers.append(message)

    offset = 0
    sending: set[asyncio.Task] = set()
    with open(os.environ["KENG_PEER_FILE"], "ab") as journal:
        while True:
            updates = await bot.get_updates(offset=offset, limit=100, timeout=5, allowed_updates=["message"])
            for update in updates:
                await dispatcher.feed_update(bot, update)
                offset = update.update_id + 1
            if rows:
                # One write and one sync for a whole batch: the cheapest way to have it on disk.
                journal.write(("\n".join(rows) + "\n").encode())
                journal.flush()
                os.fdatasync(journal.fileno())
                rows.clear()
            for message in answers:
                task = asyncio.create_task(bot(message.reply("Đã ghi nhận tin báo.", allow_sending_without_reply=True)))
                sending.add(task)
                task.add_done_callback(sending.discard)
            answers.clear()


asyncio.run(main())
