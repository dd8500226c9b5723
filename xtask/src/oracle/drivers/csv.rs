//! Roots over csv and csv-core: a state-machine core behind readers and writers.

pub fn rows(text: &[u8]) -> usize {
    csv::Reader::from_reader(text).records().filter(Result::is_ok).count()
}

pub fn column(text: &[u8]) -> Vec<String> {
    let mut reader = csv::ReaderBuilder::new().delimiter(b';').has_headers(false).from_reader(text);
    reader.records().filter_map(|record| Some(record.ok()?.get(1)?.to_owned())).collect()
}

pub fn typed(text: &[u8]) -> Vec<(String, u64)> {
    csv::Reader::from_reader(text).deserialize().filter_map(Result::ok).collect()
}

pub fn write(rows: &[Vec<String>]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        if writer.write_record(row).is_err() {
            return Vec::new();
        }
    }
    writer.into_inner().unwrap_or_default()
}
