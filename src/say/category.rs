//! What the kinds of incident are called on the screen.

use crate::domain::reading::Category;

/// The kind's name inside a sentence, in small letters.
#[must_use]
pub fn category(category: Category) -> &'static str {
    match category {
        Category::Theft => "trộm cắp",
        Category::Robbery => "cướp, cướp giật",
        Category::FraudScam => "lừa đảo",
        Category::Gambling => "đánh bạc",
        Category::Drugs => "ma tuý",
        Category::DisorderFight => "đánh nhau, gây rối",
        Category::HouseholdDispute => "mâu thuẫn, tranh chấp",
        Category::Traffic => "giao thông",
        Category::Fire => "cháy nổ",
        Category::MissingPerson => "tìm người",
        Category::SuspiciousPerson => "người lạ khả nghi",
        Category::Residence => "cư trú, tạm trú",
        Category::EnvironmentNoise => "tiếng ồn, môi trường",
        Category::Animal => "chó thả rông, vật nuôi",
        Category::DomesticViolence => "bạo lực gia đình",
        Category::IllegalExplosivesWeapons => "pháo, vũ khí",
        Category::Prostitution => "mại dâm",
        Category::CounterfeitSmuggling => "hàng giả, hàng lậu",
        Category::UrbanOrder => "trật tự đô thị",
        Category::Other => "việc khác",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use unicode_normalization::is_nfc;

    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own() {
        let names: BTreeSet<_> = Category::ALL.iter().map(|&kind| category(kind)).collect();
        assert_eq!(names.len(), Category::ALL.len());
        assert!(names.iter().all(|name| is_nfc(name)));
    }
}
