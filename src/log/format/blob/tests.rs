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
