//! Groups of the OA: made, listed, looked into. Only groups that the OA made can hold it.

use std::collections::HashSet;

use async_trait::async_trait;
use serde_json::Value;
use serde_json::json;

use super::Shared;
use super::api;
use super::api::Ask;
use crate::channel::fields::Object;
use crate::channel::groups::Group;
use crate::channel::groups::GroupError;
use crate::channel::groups::Groups;
use crate::channel::groups::Member;
use crate::channel::groups::NewGroup;

/// Asked for on each page. How many there may be is not told; the pages that say something stop at ten.
const PAGE: usize = 10;

/// No OA has more groups, and no group more members, than this many pages.
const PAGES: usize = 5_000;

/// People at the making of a group.
const AT_ONCE: usize = 99;

/// People in one invitation.
const INVITED: usize = 50;

/// Kinds of packages, by how many members they allow.
const PACKAGES: [&str; 4] = ["gmf10", "gmf50", "gmf100", "gmf1000"];

/// Where packages come from: with the OA's tier, bought, given.
const ORIGINS: [&str; 3] = ["sub_quota", "purchase_quota", "reward_quota"];

const ROOT: &str = "/v3.0/oa/group/";

impl Shared {
    async fn question(
        &self,
        what: &str,
        parameters: &[(&str, &str)],
    ) -> Result<String, GroupError> {
        let answered = self
            .api
            .ask(&format!("{ROOT}{what}"), &Ask::Get(parameters))
            .await?;
        Ok(api::data(&answered)?.get().to_owned())
    }

    async fn order(&self, what: &str, body: &Value) -> Result<String, GroupError> {
        let answered = self
            .api
            .ask(&format!("{ROOT}{what}"), &Ask::Post(body))
            .await?;
        Ok(api::data(&answered)?.get().to_owned())
    }

    /// One page of a list, from `offset` on.
    pub(super) async fn page(
        &self,
        what: &str,
        group: Option<&str>,
        offset: usize,
    ) -> Result<String, GroupError> {
        let (offset, count) = (offset.to_string(), PAGE.to_string());
        let mut parameters = vec![("offset", offset.as_str()), ("count", count.as_str())];
        if let Some(group) = group {
            parameters.insert(0, ("group_id", group));
        }
        self.question(what, &parameters).await
    }

    /// Every group of the OA.
    pub(super) async fn all_groups(&self) -> Result<Vec<Group>, GroupError> {
        let mut all = Vec::new();
        let mut known = HashSet::new();
        let mut offset = 0;
        for _ in 0..PAGES {
            let page = self.page("getgroupsofoa", None, offset).await?;
            let page = Object::read(&page).ok_or_else(unreadable)?;
            let groups = page.objects("groups").unwrap_or_default();
            if groups.is_empty() {
                break;
            }
            offset += groups.len();
            let read = groups.iter().filter_map(|one| group(one, None));
            // While we turn the pages, a new group moves the others on: the same may come twice.
            all.extend(read.filter(|group| known.insert(group.id.clone())));
            let total = page
                .number("total")
                .and_then(|total| usize::try_from(total).ok());
            if total.is_some_and(|total| offset >= total) {
                break;
            }
        }
        Ok(all)
    }

    /// Goes through the members of a group until `wanted` is found; everybody seen is remembered.
    pub(super) async fn look_for(
        &self,
        id: &str,
        wanted: Option<&str>,
    ) -> Result<Vec<Member>, GroupError> {
        let mut all: Vec<Member> = Vec::new();
        let mut known = HashSet::new();
        let mut offset = 0;
        for _ in 0..PAGES {
            let page = self.page("listmember", Some(id), offset).await?;
            let page = Object::read(&page).ok_or_else(unreadable)?;
            let members = page.objects("members").unwrap_or_default();
            if members.is_empty() {
                break;
            }
            offset += members.len();
            let read = members.iter().filter_map(|one| {
                let person = one.id("user_id");
                Some(Member {
                    is_us: person.is_none(),
                    id: person.or_else(|| one.id("oa_id"))?,
                    name: one.text("name").unwrap_or_default(),
                })
            });
            all.extend(read.filter(|member| known.insert(member.id.clone())));
            self.names.learn(all.iter().filter(|member| !member.is_us));
            let found = wanted.is_some_and(|wanted| known.contains(wanted));
            let total = page
                .number("total")
                .and_then(|total| usize::try_from(total).ok());
            if found || total.is_some_and(|total| offset >= total) {
                break;
            }
        }
        Ok(all)
    }

    /// The first package that no group uses.
    async fn free_package(&self, kind: &str) -> Result<String, GroupError> {
        let kinds: Vec<&str> = PACKAGES
            .into_iter()
            .filter(|one| kind.is_empty() || *one == kind)
            .collect();
        for kind in &kinds {
            for origin in ORIGINS {
                let body = json!({"quota_owner": "OA", "product_type": kind, "quota_type": origin});
                let answered = self
                    .api
                    .ask("/v3.0/oa/quota/group", &Ask::Post(&body))
                    .await?;
                let data = format!("{{\"all\":{}}}", api::data(&answered)?.get());
                let packages = Object::read(&data).and_then(|data| data.objects("all"));
                let free = packages
                    .unwrap_or_default()
                    .into_iter()
                    .find_map(|package| {
                        (package.text("status")? == "available").then(|| package.id("asset_id"))?
                    });
                if let Some(free) = free {
                    return Ok(free);
                }
            }
        }
        Err(GroupError::Refused(format!(
            "the OA has no free package of {}: buy one on the OA's page, each group needs its own",
            kinds.join(", ")
        )))
    }
}

#[async_trait]
impl Groups for Shared {
    async fn list(&self) -> Result<Vec<Group>, GroupError> {
        self.all_groups().await
    }

    async fn group(&self, id: &str) -> Result<Group, GroupError> {
        let data = self.question("getgroup", &[("group_id", id)]).await?;
        let data = Object::read(&data).ok_or_else(unreadable)?;
        let info = data.object("group_info").ok_or_else(unreadable)?;
        group(&info, data.object("asset_info").as_ref()).ok_or_else(unreadable)
    }

    async fn create(&self, wanted: &NewGroup) -> Result<Group, GroupError> {
        let kind = wanted.package.as_str();
        let package = if kind.is_empty() || PACKAGES.contains(&kind) {
            self.free_package(kind).await?
        } else {
            kind.to_owned()
        };
        let (first, later) = wanted.people.split_at(wanted.people.len().min(AT_ONCE));
        let body = json!({
            "group_name": wanted.name,
            "group_description": wanted.description,
            "asset_id": package,
            "member_user_ids": first,
        });
        let data = self.order("creategroupwithoa", &body).await?;
        let made = Object::read(&data).and_then(|data| group(&data, None));
        let made = made.ok_or_else(unreadable)?;
        if !later.is_empty() {
            self.invite(&made.id, later).await?;
        }
        Ok(made)
    }

    async fn invite(&self, id: &str, people: &[String]) -> Result<(), GroupError> {
        for some in people.chunks(INVITED) {
            let body = json!({"group_id": id, "member_user_ids": some});
            self.order("invite", &body).await?;
        }
        Ok(())
    }

    async fn members(&self, id: &str) -> Result<Vec<Member>, GroupError> {
        self.look_for(id, None).await
    }
}

fn group(info: &Object<'_>, package: Option<&Object<'_>>) -> Option<Group> {
    let number = |key| u64::try_from(info.number(key)?).ok();
    Some(Group {
        id: info.id("group_id")?,
        name: info.text("name").unwrap_or_default(),
        link: info.text("group_link").unwrap_or_default(),
        members: number("total_member").unwrap_or_default(),
        most: number("max_member"),
        enabled: info.text("status").is_none_or(|status| status == "enabled"),
        paid_until: package
            .and_then(|package| package.text("valid_through"))
            .unwrap_or_default(),
    })
}

pub(super) fn unreadable() -> GroupError {
    GroupError::NotNow("the server's answer is not readable".to_owned())
}
