//! A hamlet on Zalo Bot: what residents and officers see, and what the program keeps.

mod month;
mod quarter;
mod talk;
mod trouble;
