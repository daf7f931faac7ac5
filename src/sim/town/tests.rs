use std::time::Duration;

use super::*;

async fn town() -> Town {
    Town::start(Size::default(), None).await.unwrap()
}

#[tokio::test]
async fn people_write_on_every_platform_and_one_stream_tells_it() {
    let town = town().await;
    let start = town.seq();
    for platform in Platform::ALL {
        let room = town.nth_room(platform, 1).unwrap();
        let person = town.resident(&room.id, 1).unwrap();
        let first = town.say(&person.id, &room.id, "chào cả nhà").unwrap();
        town.reply(&person.id, &room.id, &first, "có ai không")
            .unwrap();
        let messages = town.messages(&room.id);
        let last = messages.last().unwrap();
        assert_eq!(&*last.text, "có ai không", "{platform:?}");
        assert_eq!(last.reply_to.as_deref(), Some(first.as_str()));
        assert_eq!(
            last.from,
            From::Person {
                id: Some(person.id.clone()),
                name: person.name.clone()
            }
        );
    }
    let events = town.events(start).await;
    assert_eq!(events.len(), 8);
    assert!(events.windows(2).all(|two| two[0].seq + 1 == two[1].seq));
    let as_json = serde_json::to_value(&*events[0]).unwrap();
    assert_eq!(as_json["from"]["kind"], "person");
    assert_eq!(as_json["what"], "wrote");
    assert_eq!(town.counts()[&Platform::ZaloOa].people, 2);
}

#[tokio::test]
async fn words_are_changed_and_taken_back_only_where_people_can() {
    let town = town().await;
    let room = town.nth_room(Platform::Telegram, 2).unwrap();
    let person = town.resident(&room.id, 2).unwrap();
    let id = town.photo(&person.id, &room.id, "con mèo").unwrap();
    town.edit(&person.id, &room.id, &id, "con mèo nhà em")
        .unwrap();
    town.remove(&person.id, &room.id, &id).unwrap();
    let last = town.messages(&room.id).pop().unwrap();
    assert_eq!(&*last.text, "con mèo nhà em");
    assert!(last.picture && last.edited && last.removed);

    let zalo = town.nth_room(Platform::ZaloOa, 1).unwrap();
    let other = town.resident(&zalo.id, 1).unwrap();
    let id = town.say(&other.id, &zalo.id, "ơ kìa").unwrap();
    let refused = town.edit(&other.id, &zalo.id, &id, "gì").unwrap_err();
    assert!(matches!(refused, Refused::Impossible("Zalo", _)));
    let stranger = town.say(&person.id, &zalo.id, "xin chào").unwrap_err();
    assert!(matches!(stranger, Refused::Elsewhere(..)), "{stranger}");
    let private = town.say(&other.id, &person.id, "nghe lén").unwrap_err();
    assert!(matches!(private, Refused::Room(_) | Refused::Elsewhere(..)));
}

#[tokio::test]
async fn a_group_that_moves_keeps_its_id_in_the_town() {
    let town = town().await;
    let room = town.nth_room(Platform::Telegram, 3).unwrap();
    let person = town.resident(&room.id, 1).unwrap();
    town.say(&person.id, &room.id, "trước").unwrap();
    town.migrate(&room.id).unwrap();
    assert!(town.migrate(&room.id).is_err(), "only once");
    town.say(&person.id, &room.id, "sau").unwrap();
    let now = town.room(&room.id).unwrap();
    assert_ne!(now.native, room.native);
    let words: Vec<_> = town
        .messages(&room.id)
        .into_iter()
        .map(|one| one.text.to_string())
        .collect();
    assert_eq!(words, ["trước", "sau"]);
}

#[tokio::test]
async fn the_same_seed_builds_the_same_town() {
    let size = Size { seed: 9, rooms: 40 };
    let (one, two) = (
        Town::start(size, None).await.unwrap(),
        Town::start(size, None).await.unwrap(),
    );
    let other = Town::start(
        Size {
            seed: 10,
            rooms: 40,
        },
        None,
    )
    .await
    .unwrap();
    assert_eq!((one.rooms(), one.people()), (two.rooms(), two.people()));
    assert_ne!(one.people(), other.people());
}

#[tokio::test]
async fn the_clock_is_moved_by_hand_and_whoever_waits_for_an_hour_is_woken() {
    let town = town().await;
    town.set_speed(0.0);
    let now = town.now_ms();
    let waiting = town.clone();
    let woken = tokio::spawn(async move { waiting.until(now + 3_600_000).await });
    tokio::task::yield_now().await;
    assert!(!woken.is_finished());
    town.advance(Duration::from_secs(3_600));
    woken.await.unwrap();
    assert_eq!(town.now_ms(), now + 3_600_000);
}

#[tokio::test]
async fn a_snapshot_holds_a_sample_of_many_rooms() {
    let town = Town::start(
        Size {
            seed: 1,
            rooms: 200,
        },
        None,
    )
    .await
    .unwrap();
    let sample = town.snapshot(10);
    let groups = sample
        .rooms
        .iter()
        .filter(|one| one.room.kind != Kind::Private);
    assert_eq!(groups.count(), 10);
    assert!(sample.rooms_in_all >= 200);
    town.fault(Platform::ZaloOa, Trouble::Outage, true);
    let state = serde_json::to_value(town.snapshot(10)).unwrap();
    assert_eq!(state["faults"][0]["fault"], "outage");
    town.fault(Platform::ZaloOa, Trouble::Outage, false);
    assert!(town.troubles().is_empty());
}

#[tokio::test]
async fn the_same_seed_gives_the_same_day() {
    use super::scenario::{Crowd, Place, Sort};
    let town = Town::start(Size::default(), None).await.unwrap();
    let again = Town::start(Size::default(), None).await.unwrap();
    let day = |seed| Crowd {
        place: Place::All,
        messages: 500,
        tagged: 10.0,
        seconds: 3_600,
        seed,
    };
    let lines = town.crowd(&day(7));
    assert_eq!(lines, again.crowd(&day(7)));
    assert_ne!(lines, town.crowd(&day(8)));
    let reports = lines
        .iter()
        .filter(|line| line.sort == Sort::Report)
        .count();
    assert!((25..90).contains(&reports), "{reports}");
    assert!(lines.windows(2).all(|two| two[0].at_ms <= two[1].at_ms));
    let platforms: BTreeSet<_> = lines
        .iter()
        .filter_map(|line| town.room(&line.room).map(|room| room.platform))
        .collect();
    assert_eq!(platforms.len(), 4);
}
