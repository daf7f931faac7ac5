"""PyPI facebook-business, written by Meta, judges our simulated Page.

Started by run.sh, with the simulator's address in KENG_TOWN. Prints one line for each judgement, ends with
their count, and exits with 1 when one failed.
"""

import json
import os
import sys
import time
import urllib.request

from facebook_business.adobjects.comment import Comment
from facebook_business.adobjects.page import Page
from facebook_business.adobjects.pagepost import PagePost
from facebook_business.api import FacebookAdsApi
from facebook_business.exceptions import FacebookRequestError
from facebook_business.session import FacebookSession

TOWN = os.environ["KENG_TOWN"]
APP, SECRET = "517000000000017", "khoaBiMatCuaUngDungMeta"
PAGE, TOKEN = "104400000000007", "EAABmaTruyCapCuaTrang"

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


def sent():
    """What the Page said, as people see it."""
    with urllib.request.urlopen(f"{TOWN}/sim/sent", timeout=10) as answer:
        return json.load(answer)


def refusal(call):
    """The numbers of the error that the SDK reads out of an answer."""
    try:
        return call()
    except FacebookRequestError as error:
        return (error.api_error_code(), error.api_error_subcode())


for _ in range(100):
    try:
        sim("stats")
        break
    except OSError:
        time.sleep(0.05)

FacebookSession.GRAPH = TOWN
api = FacebookAdsApi(FacebookSession(APP, SECRET, TOKEN), api_version="v26.0")
page = Page(PAGE, api=api)

judge("the Page tells its name", page.api_get(fields=["id", "name"])["name"] == "Công an xã Tiên Yên")
lan = sim("person", name="Nguyễn Thị Lan")["id"]

judge("a person who never wrote is outside the window (10/2018278)",
      refusal(lambda: page.create_message(params={"recipient": {"id": lan}, "message": {"text": "chào"}})) == (10, 2018278))
sim("say", person=lan, text="tôi muốn báo tin")
answer = page.create_message(params={"recipient": {"id": lan}, "messaging_type": "RESPONSE",
                                     "message": {"text": "Đã nhận tin báo", "metadata": "keng:7"}})
judge("a message inside the window has a mid and its person", answer["recipient_id"] == lan and answer["message_id"].startswith("m_"), answer)
judge("and is read as it was written", sent()[-1]["text"] == "Đã nhận tin báo" and sent()[-1]["metadata"] == "keng:7", sent()[-1])
judge("a person of another Page is not known (100/2018001)",
      refusal(lambda: page.create_message(params={"recipient": {"id": "1"}, "message": {"text": "x"}})) == (100, 2018001))
judge("2,001 letters are too many (100)",
      refusal(lambda: page.create_message(params={"recipient": {"id": lan}, "message": {"text": "ạ" * 2001}}))[0] == 100)
judge("a sender action answers the person alone",
      "message_id" not in page.create_message(params={"recipient": {"id": lan}, "sender_action": "TYPING_ON"}))
judge("a message and an action in one call (100/2018014)",
      refusal(lambda: page.create_message(params={"recipient": {"id": lan}, "sender_action": "TYPING_ON", "message": {"text": "x"}})) == (100, 2018014))
judge("a retired tag (100)",
      refusal(lambda: page.create_message(params={"recipient": {"id": lan}, "messaging_type": "MESSAGE_TAG", "tag": "ACCOUNT_UPDATE", "message": {"text": "x"}}))[0] == 100)

post = page.create_feed(params={"message": "Cảnh báo #luadao"})["id"]
judge("a post has the id of the Page in front", post.startswith(PAGE + "_"), post)
judge("the same words twice in a row (506)", refusal(lambda: page.create_feed(params={"message": "Cảnh báo #luadao"}))[0] == 506)
comment = sim("write", person=lan, under=post, text="#tromcap mất xe ở cổng chợ")["id"]
reply = Comment(comment, api=api).create_comment(params={"message": "Đã ghi nhận"})["id"]
judge("the comments' edge answers and does not change",
      Comment(comment, api=api).api_get(fields=["message"])["message"] == "#tromcap mất xe ở cổng chợ" and reply != comment)
judge("an answer knows its parent", Comment(reply, api=api).api_get(fields=["parent", "message"])["parent"]["id"] == comment)
judge("somebody else's comment cannot be changed (200)",
      refusal(lambda: Comment(comment, api=api).api_update(params={"message": "khác"}))[0] == 200)
Comment(comment, api=api).api_update(params={"is_hidden": True})
judge("a comment can be hidden", Comment(comment, api=api).api_get(fields=["is_hidden"])["is_hidden"] is True)
PagePost(post, api=api).api_update(params={"message": "Đính chính: #luadao"})
judge("our own post can be changed", PagePost(post, api=api).api_get(fields=["message"])["message"] == "Đính chính: #luadao")

# What a PNG begins with.
PIXEL = bytes.fromhex("89504e470d0a1a0a")
upload = lambda path, field, params: api.call("POST", (PAGE, path), params=params, files={field: ("anh.png", PIXEL, "image/png")}).json()
photo = upload("photos", "source", {"published": "false"})
judge("a photo that is not published has an id and no post", "post_id" not in photo and photo["id"].isdigit(), photo)
shown = lambda id: [one["target"]["id"] for one in PagePost(id, api=api).get_attachments(fields=["target"])]
with_photo = page.create_feed(params={"message": "Cảnh báo có ảnh", "attached_media": [{"media_fbid": photo["id"]}]})["id"]
judge("a post shows it", with_photo.startswith(PAGE + "_") and shown(with_photo) == [photo["id"]], with_photo)
judge("a photo that nobody uploaded cannot be shown (100)",
      refusal(lambda: page.create_feed(params={"message": "Không có ảnh", "attached_media": [{"media_fbid": "1"}]}))[0] == 100)
another = upload("photos", "source", {"published": "false"})["id"]
PagePost(with_photo, api=api).api_update(params={"message": "Đính chính có ảnh", "attached_media": [{"media_fbid": another}]})
judge("its words and its photo can be changed", shown(with_photo) == [another] and PagePost(with_photo, api=api).api_get(fields=["message"])["message"] == "Đính chính có ảnh")
published = upload("photos", "source", {"message": "Ảnh đăng thẳng"})
judge("a photo that is published has two ids", published["post_id"].startswith(PAGE + "_") and published["id"] != published["post_id"], published)
judge("words are no picture (324)",
      refusal(lambda: api.call("POST", (PAGE, "photos"), params={"published": "false"}, files={"source": ("a.png", b"words", "image/png")}))[0] == 324)
kept = upload("message_attachments", "filedata", {"message": json.dumps({"attachment": {"type": "image", "payload": {"is_reusable": True}}})})["attachment_id"]
image = lambda id: {"recipient": {"id": lan}, "message": {"attachment": {"type": "image", "payload": {"attachment_id": id}}}}
page.create_message(params=image(kept))
judge("a picture for messages is sent by its id, without words", sent()[-1]["picture"] == kept and sent()[-1]["text"] == "", sent()[-1])
judge("an unknown one is refused (100/2018074)", refusal(lambda: page.create_message(params=image("1"))) == (100, 2018074))

aside = page.create_message(params={"recipient": {"comment_id": comment}, "message": {"text": "nhắn riêng"}})
judge("a comment is answered in private once", aside["recipient_id"] == lan, aside)
judge("and not twice (10900)",
      refusal(lambda: page.create_message(params={"recipient": {"comment_id": comment}, "message": {"text": "lại"}}))[0] == 10900)
old = sim("write", person=lan, under=post, text="bình luận cũ")["id"]
sim("clock", advance_ms=8 * 86_400_000)
judge("nor after seven days (10903)",
      refusal(lambda: page.create_message(params={"recipient": {"comment_id": old}, "message": {"text": "muộn"}}))[0] == 10903)
judge("the window has closed meanwhile (10/2018278)",
      refusal(lambda: page.create_message(params={"recipient": {"id": lan}, "message": {"text": "muộn"}})) == (10, 2018278))

made = api.call("POST", (PAGE, "message_templates"), params={
    "name": "tra_loi_tin_bao", "language": "vi", "category": "UTILITY",
    "components": [{"type": "BODY", "text": "Công an xã trả lời: {{1}} Cảm ơn bà con.", "example": {"body_text": [["Tin mã 7 đã xong."]]}}]}).json()
judge("a utility template is approved", made["status"] == "APPROVED", made)
words = {"name": "tra_loi_tin_bao", "language": {"code": "vi"}, "components": [{"type": "body", "parameters": [{"type": "text", "text": "Tin mã 7 đã xong."}]}]}
page.create_message(params={"recipient": {"id": lan}, "messaging_type": "UTILITY", "message": {"template": words}})
judge("it goes outside the window, filled", sent()[-1]["text"] == "Công an xã trả lời: Tin mã 7 đã xong. Cảm ơn bà con.", sent()[-1])
judge("a template with a gap left open (100)",
      refusal(lambda: page.create_message(params={"recipient": {"id": lan}, "messaging_type": "UTILITY", "message": {"template": {**words, "components": []}}}))[0] == 100)

judge("fields are subscribed to as a list", api.call("POST", (PAGE, "subscribed_apps"), params={"subscribed_fields": ["feed", "messages"]}).json() == {"success": True})
sim("say", person=lan, text="còn ai đó không")
batch = api.new_batch()
answers = []
page.create_message(params={"recipient": {"id": lan}, "message": {"text": "một"}}, batch=batch, success=lambda one: answers.append(one.json()["message_id"]), failure=lambda one: answers.append(one))
page.create_message(params={"recipient": {"id": "1"}, "message": {"text": "hai"}}, batch=batch, failure=lambda one: answers.append(one.error().api_error_code()))
batch.execute()
judge("two calls in one batch end each for itself", len(answers) == 2 and str(answers[0]).startswith("m_") and answers[1] == 100, answers)

PagePost(post, api=api).api_delete()
judge("a post can be deleted", refusal(lambda: PagePost(post, api=api).api_get(fields=["message"])) == (100, 33))

answer = api.call("GET", (PAGE,))
usage = json.loads(answer.headers()["x-business-use-case-usage"])
judge("every answer tells the usage of its Page", {one["type"] for one in usage[PAGE]} == {"pages", "messenger"}, usage)
wrong = FacebookAdsApi(FacebookSession(APP, "sai", TOKEN), api_version="v26.0")
judge("a wrong proof is refused (100)", refusal(lambda: Page(PAGE, api=wrong).api_get())[0] == 100)
dead = FacebookAdsApi(FacebookSession(APP, SECRET, "EAABkhac"), api_version="v26.0")
judge("a wrong token is refused (190/460)", refusal(lambda: Page(PAGE, api=dead).api_get()) == (190, 460))

print(f"facebook-business: {passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
