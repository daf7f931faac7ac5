//! Names of people and places.

/// The commune of the make-believe ward: a real one of the official list, in
/// which nothing told here ever happened.
pub const COMMUNE: (&str, &str) = ("06862", "Xã Tiên Yên");

/// Invented villages and street groups.
pub const VILLAGES: [&str; 16] = [
    "Thôn Tân Trúc Tùng",
    "Thôn Bờ Giếng",
    "Thôn Gốc Gạo",
    "Thôn Đồng Mành",
    "Thôn Cây Thị",
    "Thôn Bến Củi",
    "Thôn Đông Ngò",
    "Thôn Khe Lánh",
    "Thôn Nà Bưởi",
    "Thôn Đầm Sen",
    "Khu phố Lò Vôi",
    "Khu phố Chợ Cũ",
    "Khu phố Giếng Đáy",
    "Tổ dân phố Hoa Ban",
    "Tổ dân phố Cầu Ngầm",
    "Tổ dân phố Đình Thượng",
];

pub(super) const FAMILY: [&str; 20] = [
    "Nguyễn", "Nguyễn", "Nguyễn", "Nguyễn", "Trần", "Trần", "Lê", "Lê", "Phạm", "Hoàng", "Vũ",
    "Đặng", "Bùi", "Đỗ", "Ngô", "Dương", "Lý", "Chìu", "Hà", "Đinh",
];

pub(super) const WOMEN_MIDDLE: [&str; 8] =
    ["Thị", "Thị", "Thị", "Thu", "Ngọc", "Thanh", "Minh", "Hồng"];

pub(super) const WOMEN: [&str; 28] = [
    "Lan",
    "Hương",
    "Hoa",
    "Mai",
    "Nga",
    "Thảo",
    "Trang",
    "Hạnh",
    "Yến",
    "Bích",
    "Loan",
    "Nhung",
    "Hiền",
    "Thủy",
    "Vân",
    "Oanh",
    "Xuân",
    "Lụa",
    "Thắm",
    "Duyên",
    "Quyên",
    "Ánh",
    "Liên",
    "Phượng",
    "Tuyết",
    "Mận",
    "Gấm",
    "Dịu",
];

pub(super) const MEN_MIDDLE: [&str; 8] =
    ["Văn", "Văn", "Văn", "Đức", "Quang", "Hữu", "Xuân", "Mạnh"];

pub(super) const MEN: [&str; 28] = [
    "Hùng", "Dũng", "Tuấn", "Cường", "Sơn", "Thắng", "Quân", "Bình", "Long", "Hải", "Nam", "Tùng",
    "Khánh", "Lâm", "Phúc", "Toàn", "Vinh", "Kiên", "Đạt", "Hậu", "Thọ", "Chiến", "Lực", "Năm",
    "Bảy", "Tiến", "Thuận", "Nghĩa",
];
