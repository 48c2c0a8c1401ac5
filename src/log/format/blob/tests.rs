//! Large values leave a line, come back, and are stored as long as lines refer to them.

use std::time::Duration;

use super::*;

fn blobs() -> (tempfile::TempDir, Blobs) {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Blobs::new(Disk::new(folder.path()));
    (folder, blobs)
}

#[test]
fn what_is_large_is_taken_out_and_comes_back() {
    let (_folder, blobs) = blobs();
    let whole = json!({"datas": "A".repeat(50), "small": "b", "lines": [{"text": "C".repeat(50)}, {"$blob": "mine", "x": "D".repeat(50)}]});
    let mut value = whole.clone();
    let mut out = Vec::new();
    spill(&mut value, 20, 10_000, &mut out);
    assert_eq!(value["datas"]["size"], 50);
    assert_eq!((out.len(), &value["small"]), (3, &json!("b")));
    blobs.store(out, SystemTime::now()).unwrap();
    inflate(&blobs.disk, &mut value);
    assert_eq!(value, whole);
}

#[test]
fn what_is_large_in_all_is_taken_out_as_a_whole() {
    let (_folder, blobs) = blobs();
    let whole = json!({"rows": vec![json!({"text": "C".repeat(30), "n": 1}); 100]});
    let mut value = whole.clone();
    let mut out = Vec::new();
    spill(&mut value, 20, 500, &mut out);
    assert_eq!(marker_of(&value).map(|(_, encoding)| encoding), Some(Encoding::Json));
    blobs.store(out, SystemTime::now()).unwrap();
    inflate(&blobs.disk, &mut value);
    assert_eq!(value, whole);
}

#[test]
fn a_blob_stays_as_long_as_lines_name_it() {
    let (_folder, blobs) = blobs();
    let mut value = json!("x".repeat(50));
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    for hour in [0, 2] {
        let (mut value, mut out) = (value.clone(), Vec::new());
        spill(&mut value, 20, 500, &mut out);
        blobs.store(out, start + Duration::from_secs(hour * 3600)).unwrap();
    }
    assert_eq!(blobs.sweep(start + Duration::from_secs(3600)).unwrap(), 0);
    assert!(blobs.sweep(start + Duration::from_secs(3 * 3600)).unwrap() > 0);
    let mut out = Vec::new();
    spill(&mut value, 20, 500, &mut out);
    inflate(&blobs.disk, &mut value);
    assert_eq!(value["missing"], true);
}

#[test]
fn what_surely_stays_is_never_taken_out() {
    let nested = |depth: usize| (0..depth).fold(json!(1), |inner, _| json!([inner]));
    let mut stay = 0;
    for value in [
        json!({"a": "x".repeat(20), "b": [1, 2.5, null, true], "c": {"d": "\u{1}\""}}),
        json!({"a": "x".repeat(21)}),
        json!({"a": {"$blob": 1}}),
        json!({"a": nested(99)}),
        json!({"a": nested(100)}),
        json!({"a": vec!["\u{1}".repeat(10); 30]}),
        json!({"a": vec![-1.234_567_890_123_456_7e-300; 60]}),
    ] {
        let (mut spilt, mut out) = (value.clone(), Vec::new());
        let stays = stays(value.as_object().unwrap(), 20, 2_000);
        spill_texts(&mut spilt, 20, &mut out);
        let is_as_it_was = spilt == value && json_size(&value) <= 2_000 && depth(&value) <= DEEP;
        assert!(!stays || is_as_it_was, "{value}");
        stay += usize::from(stays);
    }
    assert_eq!(stay, 3);
}
