//! Lists as people have them: what is read, refused and remarked.

use super::*;
use crate::files::import_report::ImportReport;
use crate::files::import_report::TextLanguage;
use crate::files::refusal::RowWarning;
use crate::files::rejects_csv::RejectsCsv;

fn list(bytes: &[u8], options: ReadOptions) -> Result<ContactsCsv<&[u8]>, ListError> {
    let survey = survey(&mut &*bytes, options.encoding)?;
    ContactsCsv::from_reader(bytes, survey, options)
}

fn rows(bytes: &[u8]) -> Vec<Row> {
    list(bytes, ReadOptions::new(Region::JP)).unwrap().map(Result::unwrap).collect()
}

fn contact(row: &Row) -> &ContactRow {
    match row {
        Row::Contact(contact) => contact,
        Row::Refused(refusal) => panic!("{refusal:?} {}", refusal.reason.reason_en()),
    }
}

fn fields(contact: &ContactRow) -> Vec<(String, String)> {
    serde_json::from_str(&contact.custom).unwrap()
}

fn refusal(row: &Row) -> &Refusal {
    match row {
        Row::Contact(contact) => panic!("{contact:?}"),
        Row::Refused(refusal) => refusal,
    }
}

fn one(text: &str) -> Row {
    let mut rows = rows(text.as_bytes());
    assert_eq!(rows.len(), 1, "{text}");
    rows.remove(0)
}

const JAPANESE: &str = "顧客ID,氏名,フリガナ,電話番号,言語,会社名,備考\r\n\
    A001,髙橋 一郎,タカハシ イチロウ,０３－１２３４－５６７８,日本語,㈱サンプル,\"午前～午後、\r\n①折返し\"\r\n\
    A002,Jane Doe,,+1 212-555-1234,英語,,\r\n";

#[test]
fn every_encoding_gives_equal_rows() {
    let plain = rows(JAPANESE.as_bytes());
    assert_eq!(contact(&plain[0]).name.as_deref(), Some("髙橋 一郎"));
    let note = ("備考".to_owned(), "午前～午後、\r\n①折返し".to_owned());
    assert_eq!(fields(contact(&plain[0])).last(), Some(&note));
    assert_eq!(contact(&plain[1]).language.as_deref(), Some("en"));
    assert_eq!(contact(&plain[1]).line, 4);
    let with_mark = format!("\u{feff}{JAPANESE}").into_bytes();
    let cp932 = encoding_rs::SHIFT_JIS.encode(JAPANESE).0.into_owned();
    let utf16: Vec<u8> = [0xff, 0xfe]
        .into_iter()
        .chain(JAPANESE.encode_utf16().flat_map(u16::to_le_bytes))
        .collect();
    // "Unicode text" of Excel has tabs.
    let tabs = JAPANESE.replace(',', "\t");
    let utf16_tabs: Vec<u8> =
        [0xff, 0xfe].into_iter().chain(tabs.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    for bytes in [with_mark, cp932, utf16, utf16_tabs] {
        let mut found = rows(&bytes);
        for (row, plain) in found.iter_mut().zip(&plain) {
            let Row::Contact(row) = row else { panic!("{row:?}") };
            // As it stands in the list, with its own delimiter.
            assert_eq!(row.text.replace('\t', ","), contact(plain).text);
            row.text.clone_from(&contact(plain).text);
        }
        assert_eq!(found, plain);
    }
}

#[test]
fn a_row_becomes_a_contact_with_keys_and_fields() {
    let row = one("Record ID,Last Name,First Name,Phone,Mobile Phone,Priority,担当,住所\n\
                   17,Doe,Jane,03-1234-5678 内線12,090-1234-5678,２,,\"東京都\"\"港区\"\"\"\n");
    let jane = contact(&row);
    assert_eq!(jane.name.as_deref(), Some("Jane Doe"));
    assert_eq!(jane.priority, Some(2));
    let keys: Vec<_> = jane.phones.iter().map(|p| p.key.as_str()).collect();
    assert_eq!(keys, ["+81312345678;ext=12", "+819012345678"]);
    assert_eq!(jane.external_id.as_deref(), Some("17"));
    assert_eq!(
        jane.custom,
        r#"[["Record ID","17"],["Last Name","Doe"],["First Name","Jane"],["住所","東京都\"港区\""]]"#
    );
    assert_eq!(jane.warnings, [RowWarning::Phone(crate::logic::phone::PhoneWarning::ExtFound)]);
    let without_id = one("電話\n090-1234-5678\n");
    assert_eq!(contact(&without_id).external_id, None);
}

#[test]
fn a_bad_row_is_refused_with_line_column_and_code() {
    let text = "顧客ID,氏名,電話番号,NG\n\
                1,山田,03-1234-567O,\n\
                2,山田,110,\n\
                3,山田,0120-444-444,\n\
                4,山田,9.01235E+09,\n\
                5,山田,,\n\
                6,山田,03-1234-5678\n\
                7,山田,03-1234-5678,,1\n\
                \n,,,\n\
                8,山田,03-1234-5678,○\n\
                9,山田,03-1234-5678,0\n\
                10,山田,FAX 03-1234-5678,\n\
                11,山\u{fffd}田,03-1234-5678,\n\
                12,\"山田,03-1234-5678,\n\
                13,山田,03-1234-5678,\n";
    let rows = rows(text.as_bytes());
    let codes: Vec<_> = rows
        .iter()
        .map(|row| match row {
            Row::Contact(contact) => (contact.row, contact.line, "ok", None),
            Row::Refused(r) => (r.row, r.line, r.reason.code(), r.column.as_deref()),
        })
        .collect();
    let phone = Some("電話番号");
    assert_eq!(
        codes,
        [
            (1, 2, "PHONE_NOT_NUMBER", phone),
            (2, 3, "PHONE_SPECIAL", phone),
            (3, 4, "PHONE_SPECIAL", phone),
            (4, 5, "PHONE_SCI", phone),
            (5, 6, "PHONE_EMPTY", phone),
            (6, 7, "ROW_RAGGED", None),
            (7, 8, "ROW_RAGGED", None),
            (8, 11, "DNC", Some("NG")),
            (9, 12, "ok", None),
            (10, 13, "PHONE_FORBIDDEN_TYPE", phone),
            (11, 14, "ENC_INVALID", Some("氏名")),
            (12, 15, "QUOTE_OPEN", None),
            (13, 16, "ok", None),
        ]
    );
    assert_eq!(refusal(&rows[0]).raw, "03-1234-567O");
    assert_eq!(refusal(&rows[0]).cells, ["1", "山田", "03-1234-567O", ""]);
    for row in &rows {
        if let Row::Refused(refusal) = row {
            assert!(
                !refusal.reason.reason_en().is_empty() && !refusal.reason.reason_ja().is_ascii()
            );
        }
    }
}

#[test]
fn one_good_number_is_enough_and_the_bad_one_is_remarked() {
    let row = one("電話番号,携帯\n03-1234-567O,090-1234-5678\n");
    assert_eq!(contact(&row).phones.len(), 1);
    assert_eq!(contact(&row).warnings, [RowWarning::PhoneColumnRefused]);
    let row = one("電話番号,携帯\n,x\n");
    assert_eq!(refusal(&row).column.as_deref(), Some("携帯"));
    let row = one("電話番号,携帯\n090-1234-5678,０９０１２３４５６７８\n");
    assert_eq!(contact(&row).phones.len(), 1);
}

#[test]
fn countries_outside_the_campaign_are_refused() {
    let mut options = ReadOptions::new(Region::JP);
    options.countries = vec![Region::JP];
    let bytes = b"phone\n+1 212-555-1234\n03-1234-5678\n+44 20 7946 0018/090-1234-5678\n";
    let rows: Vec<_> = list(bytes, options).unwrap().map(Result::unwrap).collect();
    assert_eq!(refusal(&rows[0]).reason, RefusalReason::CountryBlocked("US".parse().ok()));
    assert_eq!(contact(&rows[1]).phones.len(), 1);
    assert_eq!(contact(&rows[2]).phones[0].key, "+819012345678");
}

#[test]
fn delimiters_sep_lines_and_titles_are_seen_through() {
    for text in [
        "sep=;\r\n氏名;電話番号\r\n山田;03-1234-5678\r\n",
        "氏名\t電話番号\t備考\n山田\t03-1234-5678\ta,b,c,d\n",
        "2026年 見込み客リスト,,\n\n氏名,電話番号,備考\n山田,03-1234-5678,\"a;b;c\"\n",
        "\"氏名\",\"電話\n番号\"\n\"山田\",\"03-1234-5678\"\n",
        "氏名,電話番号,,\n山田,03-1234-5678,,\n",
        "氏名,電話番号\n山田,03-1234-5678,,,\n",
    ] {
        let row = one(text);
        assert_eq!(contact(&row).name.as_deref(), Some("山田"), "{text}");
    }
    let titled = b"list of 2026,\n,\nname,phone\nx,03-1234-5678\n";
    let mut list = list(titled, ReadOptions::new(Region::JP)).unwrap();
    assert_eq!(list.titles(), 2);
    assert_eq!(contact(&list.next().unwrap().unwrap()).line, 4);
}

#[test]
fn a_list_without_header_or_phones_is_refused_as_a_whole() {
    for bytes in [&b""[..], b"\n\n", b"03-1234-5678\n", b"name,fax\na,b\n"] {
        assert!(
            matches!(list(bytes, ReadOptions::new(Region::JP)), Err(ListError::Header(_))),
            "{bytes:?}"
        );
    }
}

#[test]
fn a_file_that_changes_between_the_passes_is_noticed() {
    let before = b"phone\n03-1234-5678\n03-1234-5679\n";
    let after = b"phone\n03-1234-5678\n";
    let survey = survey(&mut &before[..], None).unwrap();
    let list = ContactsCsv::from_reader(&after[..], survey, ReadOptions::new(Region::JP)).unwrap();
    assert!(matches!(list.last(), Some(Err(ListError::Changed))));
}

#[test]
fn rejects_are_repaired_and_come_in_again() {
    let text = "電話番号,氏名,備考\n\
                03-1234-567O,山田,=cmd|' /C calc'!A0\n\
                03-1234-5678,鈴木,ok\n\
                -,'=x,+81312345678\n\
                \"03-1234-5678,佐藤,x\n";
    let list = list(text.as_bytes(), ReadOptions::new(Region::JP)).unwrap();
    let header = list.header().clone();
    let mut rejects = RejectsCsv::new(Vec::new(), &header).unwrap();
    let mut report = ImportReport::default();
    for row in list {
        let row = row.unwrap();
        report.read(&row);
        match row {
            Row::Contact(_) => report.stored(),
            Row::Refused(refusal) => rejects.write(&refusal).unwrap(),
        }
    }
    assert_eq!((rejects.written(), report.total, report.accepted, report.invalid), (3, 4, 1, 3));
    let file = String::from_utf8(rejects.finish().unwrap()).unwrap();
    assert!(file.starts_with("\u{feff}\"電話番号\",\"氏名\",\"備考\",\"_row\",\"_line\""));
    assert!(file.contains("\"'=cmd|' /C calc'!A0\""));
    assert!(file.contains("\"+81312345678\""));
    assert_eq!(file.matches("\r\n").count(), 4);

    let again = rows(file.as_bytes());
    assert_eq!(refusal(&again[0]).cells, ["03-1234-567O", "山田", "=cmd|' /C calc'!A0"]);
    assert_eq!(refusal(&again[1]).cells, ["-", "=x", "+81312345678"]);
    let repaired = file.replace("567O", "5670");
    let row = &rows(repaired.as_bytes())[0];
    let note = ("備考".to_owned(), "=cmd|' /C calc'!A0".to_owned());
    assert_eq!(fields(contact(row))[1], note);
    let survey = survey(&mut repaired.as_bytes(), None).unwrap();
    let options = ReadOptions::new(Region::JP);
    let mut list = ContactsCsv::from_reader(repaired.as_bytes(), survey, options).unwrap();
    let cells = list.cells(&contact(row).text);
    assert_eq!(cells, ["03-1234-5670", "山田", "=cmd|' /C calc'!A0"], "without what we added");
}

#[test]
fn the_report_says_what_became_of_the_list() {
    let text = "電話番号,言語\n03-1234-5678,ja\n312345679,klingon!\n110,\n03-1234-5678,\n110,\n";
    let mut report = ImportReport::default();
    for (n, row) in rows(text.as_bytes()).into_iter().enumerate() {
        report.read(&row);
        match row {
            Row::Contact(contact) if n == 3 => {
                report.refused(&Refusal {
                    row: contact.row,
                    line: contact.line,
                    column: None,
                    reason: RefusalReason::DuplicateInFile,
                    cells: Vec::new(),
                    raw: String::new(),
                });
            }
            Row::Contact(_) => report.stored(),
            Row::Refused(_) => {}
        }
    }
    assert_eq!(report.accepted + report.refusals(), report.total);
    insta::assert_snapshot!(report.text(TextLanguage::En), @r"
            5  rows
            2  accepted
            0  updated
            1  duplicate in this file
            0  duplicate in the list
            0  do not call
            2  invalid
            1  with a remark
    why refused:
            2  PHONE_SPECIAL  never dialed: police (110)
            1  DUP_FILE  the same person or number stands further up in this file
    remarks:
            1  LANGUAGE_UNKNOWN  the language is not known and was left out
            1  PHONE_ZERO_RESTORED  the missing leading 0 was put back
    ");
    insta::assert_snapshot!(report.text(TextLanguage::Ja), @r"
            5  行数
            2  登録
            0  更新
            1  ファイル内の重複
            0  リスト内の重複
            0  架電禁止
            2  不正
            1  注意あり
    拒否の理由:
            2  PHONE_SPECIAL  架電禁止の番号です: 警察への緊急通報（110）
            1  DUP_FILE  同じ人または番号がこのファイルの上の行にあります
    注意:
            1  LANGUAGE_UNKNOWN  言語が分からないため空にしました
            1  PHONE_ZERO_RESTORED  先頭の 0 が欠けていたため補いました
    ");
    assert!(serde_json::to_string(&report).unwrap().contains("\"PHONE_SPECIAL\":2"));
}

#[test]
fn a_long_list_streams() {
    /// Makes its rows as they are read.
    struct Rows {
        next: u64,
        left: Vec<u8>,
    }
    impl Read for Rows {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            if self.left.is_empty() && self.next <= ROWS {
                self.left = match self.next {
                    0 => "氏名,備考,電話番号\r\n".to_owned(),
                    n => format!("山田{n},\"a\"\"b\",なし\r\n"),
                }
                .into_bytes();
                self.next += 1;
            }
            let n = self.left.len().min(into.len());
            into[..n].copy_from_slice(&self.left[..n]);
            self.left.drain(..n);
            Ok(n)
        }
    }
    const ROWS: u64 = 200_000;
    let fresh = || Rows { next: 0, left: vec![] };
    let survey = survey(&mut fresh(), None).unwrap();
    assert_eq!(survey.lines, ROWS + 1);
    let list = ContactsCsv::from_reader(fresh(), survey, ReadOptions::new(Region::JP)).unwrap();
    let (mut count, mut last) = (0, 0);
    for row in list {
        last = refusal(&row.unwrap()).line;
        count += 1;
    }
    assert_eq!((count, last), (ROWS, ROWS + 1));
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(0u8.., 0..300)) {
        for encoding in [None, Some(TextEncoding::Utf8), Some(TextEncoding::Cp932), Some(TextEncoding::Utf16Le)] {
            let mut text = b"\"phone\",name\r\n".to_vec();
            text.extend(&bytes);
            let options = ReadOptions { encoding, ..ReadOptions::new(Region::JP) };
            for whole in [&text[..], &bytes[..]] {
                if let Ok(rows) = list(whole, options.clone()) {
                    for row in rows {
                        row.unwrap();
                    }
                }
            }
        }
    }

    #[test]
    fn every_row_with_a_wrong_byte_is_refused(at in 0usize..20) {
        let mut bytes = b"phone,name\n03-1234-5678,abcdef\n".to_vec();
        bytes.insert(11 + at.min(19), 0xff);
        let options = ReadOptions { encoding: Some(TextEncoding::Utf8), ..ReadOptions::new(Region::JP) };
        for row in list(&bytes, options).unwrap() {
            proptest::prop_assert_eq!(refusal(&row.unwrap()).reason.code(), "ENC_INVALID");
        }
    }
}
