//! A list of made-up people as a file.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::person::Person;

/// So many people as UTF-8.
pub(crate) fn write_utf8(path: &Path, rows: u64) {
    let mut file = BufWriter::new(File::create(path).unwrap());
    file.write_all(HEADER.as_bytes()).unwrap();
    for n in 0..rows {
        file.write_all(Person::new(n).line().as_bytes()).unwrap();
    }
    file.flush().unwrap();
}

/// The same as CP932.
pub(crate) fn write_cp932(path: &Path, rows: u64) {
    let encoded = |text: &str| encoding_rs::SHIFT_JIS.encode(text).0.into_owned();
    let mut file = BufWriter::new(File::create(path).unwrap());
    file.write_all(&encoded(HEADER)).unwrap();
    for n in 0..rows {
        file.write_all(&encoded(&Person::new(n).line())).unwrap();
    }
    file.flush().unwrap();
}

const HEADER: &str = "顧客番号,氏名,フリガナ,電話番号,会社名,住所,商品,備考\r\n";
