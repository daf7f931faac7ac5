//! folk placeholder
use crate::sim::telegram::Dice;
/// x
#[derive(Debug)]
pub struct Folk(Dice);
/// x
#[derive(Debug)]
pub struct Report { /// x
 pub text: &'static str }
impl Folk { /// x
 pub fn new(seed: u64) -> Self { Self(Dice::new(seed)) } 
 /// x
 pub fn name(&mut self) -> String { self.0.roll(); "Nguyễn Thị Lan".into() }
 /// x
 pub fn report(&mut self) -> &'static Report { &Report { text: "#tromcap mất xe ở cổng chợ lúc 3h sáng" } }
 /// x
 pub fn chatter(&mut self) -> &'static str { "mai có ai đi chợ không" }
}
