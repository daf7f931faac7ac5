//! Groups that a platform lets us make and look into, where it does.

use async_trait::async_trait;
use thiserror::Error;

/// One group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Group {
    /// The platform's id.
    pub id: String,
    /// What its members see.
    pub name: String,
    /// The link by which people join.
    pub link: String,
    /// How many are in it.
    pub members: u64,
    /// How many may be, if told.
    pub most: Option<u64>,
    /// Messages go in and out.
    pub enabled: bool,
    /// Until when its package is paid, as the platform writes it.
    pub paid_until: String,
}

/// A group that is to be made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewGroup {
    /// Its name.
    pub name: String,
    /// A line about it.
    pub description: String,
    /// The package it uses: its id, its kind (`gmf100`), or nothing for the first that is free.
    pub package: String,
    /// Who is in it from the start; on Zalo at least one of them is an administrator of the OA.
    pub people: Vec<String>,
}

/// Somebody in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The platform's id.
    pub id: String,
    /// The name they show.
    pub name: String,
    /// It is the account itself.
    pub is_us: bool,
}

/// Why a question brought nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GroupError {
    /// It will pass: wait and ask again.
    #[error("{0}; try again in a while")]
    NotNow(String),
    /// A person must act for the account as a whole: tokens, tier, verification.
    #[error("{0}")]
    NeedsPerson(String),
    /// The platform refuses just this.
    #[error("{0}")]
    Refused(String),
}

/// What can be done with groups.
#[async_trait]
pub trait Groups: Send + Sync {
    /// All groups of the account.
    ///
    /// # Errors
    /// When the platform did not tell.
    async fn list(&self) -> Result<Vec<Group>, GroupError>;
    /// One group, with its package.
    ///
    /// # Errors
    /// When the platform did not tell, or does not know it.
    async fn group(&self, id: &str) -> Result<Group, GroupError>;
    /// Makes a group.
    ///
    /// # Errors
    /// When the platform did not make it; after [`GroupError::NotNow`] it may exist all the same.
    async fn create(&self, wanted: &NewGroup) -> Result<Group, GroupError>;
    /// Asks people into a group.
    ///
    /// # Errors
    /// When the platform did not ask all of them.
    async fn invite(&self, id: &str, people: &[String]) -> Result<(), GroupError>;
    /// Who is in a group.
    ///
    /// # Errors
    /// When the platform did not tell.
    async fn members(&self, id: &str) -> Result<Vec<Member>, GroupError>;
}
