//! Reports with a tag, what follows on a question, and an officer's warnings.

use super::Report;

const fn whole(category: &'static str, text: &'static str) -> Report {
    Report {
        text,
        category,
        has_place: true,
        has_time: true,
    }
}

/// Says where, not when.
const fn placed(category: &'static str, text: &'static str) -> Report {
    Report {
        text,
        category,
        has_place: true,
        has_time: false,
    }
}

/// Says when, not where.
const fn timed(category: &'static str, text: &'static str) -> Report {
    Report {
        text,
        category,
        has_place: false,
        has_time: true,
    }
}

const fn bare(category: &'static str, text: &'static str) -> Report {
    Report {
        text,
        category,
        has_place: false,
        has_time: false,
    }
}

/// Reports of every kind.
pub const REPORTS: &[Report] = &[
    whole(
        "theft",
        "#tromcap mất xe Wave xanh biển 14B1-000.12 dựng ở cổng chợ Gốc Gạo lúc 3h sáng nay",
    ),
    whole(
        "theft",
        "#tromcap đêm qua có đứa bẻ khóa vào nhà kho thôn Bờ Giếng lấy mất cái máy bơm với hai cuộn dây điện",
    ),
    whole(
        "theft",
        "#matxe xe dream cũ của bố cháu để trước trạm y tế thôn Đầm Sen, khoảng 9h sáng nay ra thì không thấy đâu nữa",
    ),
    placed(
        "theft",
        "#trộm_chó vừa có hai thằng đi xe không biển bắt chó ở ngõ sau đình Thượng, bà con giữ chó vào nhà hộ cái",
    ),
    timed(
        "theft",
        "#tromcap sang nay 5h day ra thi mat 6 con ga choi, long bi cat tung ra",
    ),
    bare(
        "theft",
        "#mattrom nhà em bị mất cái bình ga mini với chục con vịt, không biết mất lúc nào",
    ),
    placed(
        "theft",
        "/bao co thang dang cat khoa xe may o bai gui xe tram y te thon Dam Sen, no doi mu luoi trai do",
    ),
    whole(
        "theft",
        "báo: trưa nay khoảng 12h kém 15 có người câu trộm điện ở cột số 4 đầu thôn Cây Thị",
    ),
    timed(
        "theft",
        "#trom khoảng 2h đêm qua nghe tiếng lục cục ngoài vườn, sáng ra thì buồng chuối với cái xe rùa đi đâu mất",
    ),
    whole(
        "robbery",
        "#cuopgiat vừa bị giật dây chuyền ở đầu cầu Ngầm lúc 18h40, hai đứa đi Exciter chạy về hướng bến xe",
    ),
    placed(
        "robbery",
        "#cướp_giật cô Mận bán cá bị giật túi ngay ngã ba Lò Vôi, mọi người để ý xe Winner đen không biển",
    ),
    timed(
        "robbery",
        "#cuopgiat toi qua 8h con gai em di hoc them ve bi giat dien thoai, chau nga xuoc het chan tay",
    ),
    bare(
        "fraud_scam",
        "#luadao bà nhà em vừa bị gọi bảo là công an, dọa có lệnh bắt, bắt chuyển tiền. May mà chưa chuyển. Số nó gọi là 0900 000 121",
    ),
    timed(
        "fraud_scam",
        "#luadaomang sáng nay 9h có số 0900 000 137 gọi bảo em cài app dịch vụ công giả, cài xong mất luôn 4 triệu trong tài khoản",
    ),
    placed(
        "fraud_scam",
        "#canhbaoluadao có người đi xe tải nhỏ bán chảo chống dính ở nhà văn hóa thôn Nà Bưởi, bảo trúng thưởng rồi đòi nộp 2 triệu",
    ),
    bare(
        "fraud_scam",
        "bao tin: chau bi lua dat coc tien phong tro tren mang, chuyen 1tr5 vao stk xong no chan luon",
    ),
    bare(
        "fraud_scam",
        "#vohui chủ hụi ôm tiền mấy chục nhà bỏ đi rồi, ai cũng chơi thì vào đây em tổng hợp danh sách nộp các anh",
    ),
    timed(
        "fraud_scam",
        "#giadanhcongan chiều qua có người mặc quần áo giống công an vào đòi kiểm tra điện thoại bà cháu",
    ),
    whole(
        "gambling",
        "#danhbac đang xóc đĩa ở nhà hoang sau chợ Cũ, từ 1h chiều đến giờ, phải đến hơn chục người",
    ),
    placed(
        "gambling",
        "#danh_bac tối nào cũng tụ tập ba cây ăn tiền ở quán nước cuối thôn Đồng Mành, các anh xuống xem giúp",
    ),
    bare(
        "gambling",
        "tố giác: có người ghi lô đề qua điện thoại, rủ rê cả mấy cháu học sinh, em xin giấu tên",
    ),
    timed(
        "gambling",
        "#daga chu nhat nao cung choi, sang chu nhat vua roi dong lam, xe dung kin ca duong",
    ),
    placed(
        "drugs",
        "#matuy thấy bơm kim tiêm vứt đầy gầm cầu Ngầm, trẻ con hay ra đấy chơi nguy hiểm quá",
    ),
    timed(
        "drugs",
        "#nghiện tối qua tầm 10h có mấy thanh niên mắt lờ đờ tụ tập, bật lửa liên tục, em nghi là hút",
    ),
    whole(
        "drugs",
        "tố giác 23h đêm qua ở dãy trọ cuối ngõ Giếng Đáy có nhóm bay lắc, nhạc ầm ầm, người ra vào cả đêm",
    ),
    whole(
        "disorder_fight",
        "#danhnhau đang đánh nhau to ở quán bia Hải Hậu khu phố Chợ Cũ, có đứa cầm cả gậy, các anh đến ngay với!!!",
    ),
    timed(
        "disorder_fight",
        "#gayroi 11h đêm qua lại nẹt pô hò hét ngoài đường, cả xóm không ai ngủ được",
    ),
    whole(
        "disorder_fight",
        "#gayroitrattu 22h30 toi qua co nhom doi no dung dau xe ban vao cong nha so 12 ngo Lo Voi, bat loa chui",
    ),
    bare(
        "disorder_fight",
        "#sayruou ông ấy lại say rồi cầm gạch ném sang nhà em, các bác bên công an cho người xuống với ạ",
    ),
    placed(
        "household_dispute",
        "#tranhchap hai nhà ở ngõ 3 thôn Gốc Gạo cãi nhau chuyện bờ rào, bên kia đổ đất lấp mất rãnh nước chung",
    ),
    bare(
        "household_dispute",
        "#mauthuan nha ben xay lan sang mai nha em 20cm, noi the nao cung khong nghe, nho cac anh hoa giai giup",
    ),
    whole(
        "traffic",
        "#tainan hai xe máy đâm nhau ở ngã tư trạm điện Khe Lánh lúc 6h45, một bác đang nằm ngoài đường, ai gọi 115 giúp",
    ),
    placed(
        "traffic",
        "#tngt oto tai quet do cot dien dau doc Khe Lanh, duong tac cung roi",
    ),
    timed(
        "traffic",
        "#duaxe tối qua khoảng 11 rưỡi một đoàn hơn chục xe bốc đầu, lạng lách, không đội mũ",
    ),
    placed(
        "traffic",
        "#atgt nắp cống trước cổng trường mầm non thôn Cây Thị vỡ toang hoác, các cháu đi qua sợ lắm",
    ),
    whole(
        "traffic",
        "#giaothong chiều nay 4h có cây đổ chắn ngang đường liên thôn đoạn Bến Củi, xe tải không qua được",
    ),
    placed(
        "fire",
        "#chay cháy to ở xưởng gỗ cuối khu phố Lò Vôi, khói đen kịt, gọi 114 gấp bà con ơi",
    ),
    whole(
        "fire",
        "#chayrung khoang 13h nay thay khoi o doi keo sau thon Khe Lanh, gio van chay lan len tren",
    ),
    bare(
        "fire",
        "#pccc hàng xóm để chục bình ga ngay cạnh bếp than, em nhắc mấy lần không được",
    ),
    timed(
        "fire",
        "#chay_no lúc nãy tầm 7h tối nghe nổ một tiếng rất to rồi mất điện cả xóm",
    ),
    whole(
        "missing_person",
        "#timnguoi bà nội cháu 82 tuổi, áo bà ba nâu, hay quên, đi khỏi nhà ở thôn Đông Ngò từ 5h chiều qua. Ai thấy gọi 0900 000 145",
    ),
    timed(
        "missing_person",
        "#timtrelac cháu Bin 6 tuổi mặc áo siêu nhân đỏ, đi lạc từ 9h sáng nay, ai thấy gọi bố cháu 0900 000 188",
    ),
    placed(
        "missing_person",
        "#trelac có bé gái tầm 4 tuổi đứng khóc ở cổng chợ Cũ, không nhớ số bố mẹ, em đang giữ ở quầy thuốc",
    ),
    placed(
        "suspicious_person",
        "#nguoila có hai người lạ đi xe tay ga cứ lượn lờ ngó vào các nhà ở ngõ 5 tổ Hoa Ban",
    ),
    whole(
        "suspicious_person",
        "#khanghi 14h chiều nay có người tự xưng bên điện lực vào từng nhà ở thôn Nà Bưởi đòi thay công tơ, hỏi thẻ thì bỏ đi",
    ),
    bare(
        "suspicious_person",
        "#doituongla thay co nguoi chup anh cong nha em may lan, hoi thi no bo chay",
    ),
    bare(
        "residence",
        "#tamtru cho em hỏi phòng trọ có 3 công nhân mới đến thì khai báo thế nào ạ, em khai qua mạng không được",
    ),
    placed(
        "residence",
        "#tamvang nhà số 8 ngõ Giếng Đáy cho thuê cả chục người ở mà không thấy khai báo gì",
    ),
    timed(
        "residence",
        "#luutru tối qua nhà nghỉ gần nhà em có đoàn khách đông lắm, hình như chưa khai báo",
    ),
    whole(
        "environment_noise",
        "#karaoke 11 giờ đêm qua quán Hương Sen khu phố Chợ Cũ vẫn mở hết cỡ, người già trẻ con không ngủ được",
    ),
    placed(
        "environment_noise",
        "#racthai xe tải đổ trộm phế thải xuống mương thủy lợi thôn Đồng Mành, nước đen kịt cá chết nổi lên",
    ),
    bare(
        "environment_noise",
        "#onao nhà bên nuôi gà chọi gáy cả đêm với mùi hôi không chịu nổi, em góp ý thì bị chửi",
    ),
    timed(
        "environment_noise",
        "#onhiem tu 8h toi hom qua khoi dot nhua khet let, may dua nho ho ca dem",
    ),
    placed(
        "animal",
        "#chodai chó dữ không rọ mõm chạy rông ở sân bóng thôn Bến Củi, vừa đuổi cắn cháu bé lớp 2",
    ),
    whole(
        "animal",
        "#chocan sáng nay 7h cháu nhà em bị chó thả rông cắn vào chân ngay cổng trường tiểu học Đầm Sen",
    ),
    placed(
        "domestic_violence",
        "#baohanh nhà cuối ngõ 2 tổ Cầu Ngầm chồng lại đánh vợ, nghe tiếng kêu cứu, các anh đến gấp",
    ),
    timed(
        "domestic_violence",
        "#bạo_lực_gia_đình tối qua 9h lại nghe tiếng trẻ con bị đánh khóc thét lên, em sợ cháu làm sao mất",
    ),
    whole(
        "illegal_explosives_weapons",
        "#phaono 0h đêm qua có người đốt pháo nổ ở sân đình Thượng, vỏ pháo đỏ rực cả sân",
    ),
    bare(
        "illegal_explosives_weapons",
        "#vukhi con trai nhà ấy khoe mua được súng cồn trên mạng, hay mang ra bắn chim",
    ),
    placed(
        "illegal_explosives_weapons",
        "#baotin đào móng ở thôn Khe Lánh thấy vật giống đầu đạn cũ, em đã bảo thợ dừng lại, chưa ai động vào",
    ),
    placed(
        "prostitution",
        "#maidam quán cà phê đèn mờ cuối khu phố Chợ Cũ có dấu hiệu môi giới, đề nghị kiểm tra",
    ),
    timed(
        "prostitution",
        "tố giác hôm qua tầm 10h tối thấy chủ quán gội đầu mời chào khách rất phản cảm, em xin không nêu tên",
    ),
    placed(
        "counterfeit_smuggling",
        "#hanggia sạp ngoài chợ Gốc Gạo bán mì chính giả, bao bì in sai chính tả, ăn vào đau bụng",
    ),
    bare(
        "counterfeit_smuggling",
        "#hanglau có người rao bán thuốc lá lậu, rượu ngoại không tem trong nhóm chợ của xã mình",
    ),
    whole(
        "counterfeit_smuggling",
        "#tiengia sáng nay 8h cô bán rau ở chợ Cũ nhận phải tờ 200 nghìn giả, người mua là nam đi xe Sirius đỏ",
    ),
    placed(
        "urban_order",
        "#lanchiem quán nhậu kê bàn ra hết vỉa hè trước nhà văn hóa Lò Vôi, học sinh phải đi xuống lòng đường",
    ),
    timed(
        "urban_order",
        "#trattudothi chiều nào cũng thế, 5h chiều hôm qua xe đỗ kín hai bên, xe cứu thương không vào nổi",
    ),
    placed(
        "other",
        "#duoinuoc các cháu hay ra tắm ở hố công trình thôn Đầm Sen không có rào, hôm trước suýt đuối nước rồi",
    ),
    whole(
        "other",
        "#baotin nhặt được ví có căn cước tên Thắm ở cây xăng Cầu Ngầm lúc 7h sáng nay, ai quen nhắn giúp",
    ),
    timed(
        "other",
        "#antt tu 6h sang nay day dien bi dut roi xuong duong, nguy hiem lam, chua thay ai den",
    ),
    bare(
        "other",
        "#phananh đèn đường ngõ nhà em hỏng cả tháng rồi, tối om, chị em đi làm ca về sợ lắm",
    ),
];

/// Answers to the question where it happened.
pub const PLACES: &[&str] = &[
    "ở cổng chợ Gốc Gạo ạ",
    "ngay đầu ngõ 3 thôn Bờ Giếng",
    "nha van hoa thon Dam Sen",
    "sau đình Thượng, chỗ cây đa ấy",
    "cạnh trạm y tế thôn Cây Thị",
    "gan cau Ngam, ben phia bai boi",
    "số 12 ngõ Lò Vôi",
    "sân bóng thôn Bến Củi",
];

/// Answers to the question when it happened.
pub const TIMES: &[&str] = &[
    "khoảng 3h sáng nay",
    "tối qua tầm 9 rưỡi ạ",
    "vừa xong anh ơi",
    "luc 5h chieu hom qua",
    "trưa nay, 12h kém 15",
    "đêm qua, chắc tầm 1-2h",
    "sáng chủ nhật vừa rồi",
    "7h toi nay",
];

/// What an officer warns of.
pub const ALERTS: &[&str] = &[
    "Xuất hiện đối tượng gọi điện tự xưng cán bộ công an, yêu cầu cài ứng dụng định danh giả. Công an không làm việc qua điện thoại. Bà con không cài ứng dụng, không chuyển tiền, gọi ngay trực ban xã nếu nhận được cuộc gọi như vậy.",
    "Vài ngày qua xảy ra một số vụ mất xe máy để ngoài đường ban đêm. Đề nghị bà con dắt xe vào nhà, khóa cổ, khóa phanh đĩa.",
    "Tối nay cấm đường liên thôn đoạn Bến Củi từ 19h đến 22h để xử lý cây đổ. Bà con đi vòng qua thôn Cây Thị.",
    "Đang có cháy rừng ở khu đồi keo sau thôn Khe Lánh. Bà con không lên đồi, dắt trâu bò về, nhường đường cho xe chữa cháy.",
    "Cảnh báo thủ đoạn giả nhân viên điện lực vào nhà đòi thay công tơ. Điện lực chỉ đến khi có lịch báo trước và có thẻ ngành.",
    "Nước suối Khe Lánh đang lên nhanh. Không qua ngầm, không vớt củi, không cho trẻ em ra gần bờ suối.",
];
