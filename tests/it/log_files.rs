//! The log's files: what other tools read, what a crash leaves, what is found when bytes have changed, and what is kept.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::Notify;

use crate::support::{
    client::Client,
    fault::{Fault, FaultProxy},
    gateway::{Gateway, all_lines, run_in},
    odoo::odoo,
};

/// No Odoo behind it: what is refused for want of credentials leaves its line all the same.
fn gateway_alone(more: &str) -> Gateway {
    Gateway::before("http://127.0.0.1:9", "none", &format!("[log]\n{more}"))
}

/// So many refused calls, each of about half a kilobyte.
async fn refused_calls(gateway: &Gateway, count: usize) {
    let client = Client::nobody(gateway);
    for _ in 0..count {
        client.post("create_data", r#"{"id": "refused", "model": "m", "vals": {}}"#).await;
    }
}

/// So many requests whose lines cannot be made much smaller.
async fn large_lines(gateway: &Gateway, count: usize) {
    let client = Client::nobody(gateway);
    for _ in 0..count {
        let path: String = std::iter::repeat_with(fastrand::alphanumeric).take(500).collect();
        client.send("GET", &format!("/{path}"), Default::default(), None::<String>).await;
    }
}

/// The files of segments, the oldest first.
fn segments(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder.join("log")).unwrap().map(|file| file.unwrap().path());
    let is_segment = |file: &PathBuf| {
        let name = file.file_name().unwrap().to_str().unwrap();
        name.ends_with(".jsonl") || name.ends_with(".jsonl.zst")
    };
    let mut segments: Vec<PathBuf> = files.filter(is_segment).collect();
    segments.sort_unstable();
    segments
}

/// Waits until every segment but the last has been compressed.
async fn all_sealed(folder: &Path) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while segments(folder).iter().rev().skip(1).any(|file| file.extension().unwrap() != "zst") {
        assert!(Instant::now() < deadline, "segments are not compressed");
        tokio::task::yield_now().await;
    }
}

/// A log of several segments, all but the last compressed, whose gateway has stopped.
async fn several_segments() -> TempDir {
    let gateway = gateway_alone("segment_size = \"64 KiB\"");
    refused_calls(&gateway, 400).await;
    all_sealed(gateway.config_file().parent().unwrap()).await;
    let folder = gateway.stop();
    assert!(segments(folder.path()).len() >= 3);
    folder
}

fn shell(folder: &Path, script: &str) -> String {
    let run = Command::new("sh").args(["-ec", script]).current_dir(folder.join("log")).output().unwrap();
    assert!(run.status.success(), "{script}: {}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8(run.stdout).unwrap()
}

fn verify(folder: &Path) -> Value {
    let (_, out, said) = run_in(folder, &["log", "verify", "--json"]);
    serde_json::from_str(&out).unwrap_or_else(|_| panic!("{said}"))
}

fn grades(verified: &Value) -> Vec<&str> {
    verified["findings"].as_array().unwrap().iter().map(|finding| finding["grade"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn jq_grep_and_zstdcat_read_live_and_sealed_segments() {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    assert!(Command::new(programs).args(["jq", "zstdcat"]).status().unwrap().success());
    let gateway = gateway_alone("segment_size = \"64 KiB\"");
    refused_calls(&gateway, 400).await;
    let folder = gateway.config_file().parent().unwrap().to_owned();
    all_sealed(&folder).await;
    let live = shell(&folder, "jq -c . *.jsonl | wc -l").trim().parse::<usize>().unwrap();
    let sealed = shell(&folder, "zstdcat *.jsonl.zst | jq -c . | wc -l").trim().parse::<usize>().unwrap();
    let grepped = shell(&folder, "cat *.jsonl | grep -c '\"call.refused\"'").trim().parse::<usize>().unwrap();
    let grepped =
        grepped + shell(&folder, "zstdcat *.jsonl.zst | grep -c '\"call.refused\"'").trim().parse::<usize>().unwrap();
    let codes = shell(
        &folder,
        "{ zstdcat *.jsonl.zst; cat *.jsonl; } | jq -r 'select(.event == \"call.refused\") | .error' | sort | uniq -c",
    );
    let lines = all_lines(gateway.stop().path());
    assert!(live > 10 && sealed > 200, "{live} {sealed}");
    assert_eq!(grepped, 400);
    assert_eq!(codes.trim(), "400 no_credentials");
    let numbers: Vec<u64> = lines.iter().map(|line| line["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
}

#[tokio::test]
async fn half_a_write_of_a_gateway_that_died_is_put_aside_and_told() {
    let gateway = gateway_alone("");
    refused_calls(&gateway, 3).await;
    let folder = gateway.kill();
    let segment = segments(folder.path()).pop().unwrap();
    let whole = fs::read(&segment).unwrap();
    let torn = b"{\"seq\":99,\"durable\":1,\"event\":\"call.rec";
    fs::write(&segment, [&whole[..], torn].concat()).unwrap();
    // A reader takes it for a line that is being written.
    assert_eq!(run_in(folder.path(), &["log", "ls", "--json"]).1.lines().count(), 3);
    let folder = Gateway::again(folder).unwrap().stop();
    assert!(fs::read(&segment).unwrap().starts_with(&whole));
    let recovered = all_lines(folder.path()).into_iter().find(|line| line["event"] == "log.recovered").unwrap();
    assert_eq!((&recovered["offset"], &recovered["bytes"]), (&json!(whole.len()), &json!(torn.len())));
    assert_eq!(fs::read(folder.path().join("log").join(recovered["kept_in"].as_str().unwrap())).unwrap(), torn);
    assert_eq!(verify(folder.path())["sound"], true);
}

#[tokio::test]
async fn damage_that_is_no_torn_tail_stops_the_start_until_it_is_repaired() {
    let gateway = gateway_alone("");
    refused_calls(&gateway, 5).await;
    let folder = gateway.stop();
    let segment = segments(folder.path()).pop().unwrap();
    let mut bytes = fs::read(&segment).unwrap();
    let place = bytes.windows(9).position(|window| window == b"127.0.0.1").unwrap();
    bytes[place] = b'9';
    fs::write(&segment, &bytes).unwrap();
    let Err(said) = Gateway::again(folder) else { panic!("it started on a damaged log") };
    assert!(
        said.contains("00000000000000000001.jsonl` is not as it was written from byte") && said.contains("log repair"),
        "{said}"
    );
}

#[tokio::test]
async fn a_repair_keeps_every_whole_line_and_the_damaged_file() {
    let gateway = gateway_alone("");
    refused_calls(&gateway, 5).await;
    let folder = gateway.stop();
    let segment = segments(folder.path()).pop().unwrap();
    let before = all_lines(folder.path());
    let mut bytes = fs::read(&segment).unwrap();
    let place = bytes.windows(9).position(|window| window == b"127.0.0.1").unwrap();
    bytes[place] = b'9';
    fs::write(&segment, &bytes).unwrap();
    assert_eq!(grades(&verify(folder.path())), ["damaged"]);
    let (status, said, _) = run_in(folder.path(), &["check"]);
    assert!(status == Some(1) && said.contains("FAIL  log            the log is damaged"), "{said}");

    let (status, repaired, _) = run_in(folder.path(), &["log", "repair"]);
    assert!(status == Some(0) && repaired.contains("lost: line 3\n"), "{repaired}");
    let kept = fs::read_dir(folder.path().join("log")).unwrap().map(|file| file.unwrap().path());
    let kept: Vec<PathBuf> = kept.filter(|file| file.to_str().unwrap().contains(".damaged-")).collect();
    assert_eq!((kept.len(), fs::read(&kept[0]).unwrap()), (1, bytes));
    let after = all_lines(folder.path());
    let gap = after.iter().find(|line| line["event"] == "log.gap").unwrap();
    assert_eq!((&gap["seq"], &gap["to"]), (&json!(3), &json!(3)));
    for line in before.iter().filter(|line| line["seq"] != 3) {
        assert!(after.contains(line), "{line}");
    }
    let verified = verify(folder.path());
    assert_eq!((&verified["sound"], grades(&verified)), (&json!(true), vec!["note"]));
    let gateway = Gateway::again(folder).unwrap();
    refused_calls(&gateway, 1).await;
    assert_eq!(gateway.run_json(&["log", "ls", "--json"]).len(), 5);
}

#[tokio::test]
async fn a_sealed_segment_that_cannot_be_decompressed_is_repaired_frame_by_frame() {
    let folder = several_segments().await;
    let first = segments(folder.path()).remove(0);
    let mut bytes = fs::read(&first).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4].copy_from_slice(&[0xff; 4]);
    fs::write(&first, &bytes).unwrap();
    let verified = verify(folder.path());
    assert!(grades(&verified).contains(&"damaged") && !grades(&verified).contains(&"edited"), "{verified}");
    let (status, repaired, said) = run_in(folder.path(), &["log", "repair"]);
    assert!(status == Some(0) && repaired.contains("made anew"), "{repaired}{said}");
    let verified = verify(folder.path());
    assert_eq!(verified["sound"], true, "{verified}");
    Gateway::again(folder).unwrap().stop();
}

#[tokio::test]
async fn loss_damage_and_editing_of_old_segments_are_told_apart() {
    let folder = several_segments().await;
    assert_eq!(verify(folder.path())["findings"], json!([]));
    let all = segments(folder.path());
    let (second, third) = (&all[1], &all[2]);
    let whole = fs::read(second).unwrap();

    fs::remove_file(second).unwrap();
    let verified = verify(folder.path());
    assert_eq!(grades(&verified), ["lost"], "{verified}");
    assert!(verified["findings"][0]["words"].as_str().unwrap().contains("no line says that it was dropped"));
    assert_eq!(run_in(folder.path(), &["log", "verify"]).0, Some(1));

    // Somebody who knows the format changes an old line, with the right checksum.
    let text = String::from_utf8(zstd::decode_all(&*whole).unwrap()).unwrap();
    let edited: String = text
        .split_inclusive('\n')
        .enumerate()
        .map(|(number, line)| {
            if number != 3 {
                return line.to_owned();
            }
            let (content, _) = line.rsplit_once(",\"crc\":").unwrap();
            let content = content.replace("no_credentials", "access_denied_");
            format!("{content},\"crc\":\"{:08x}\"}}\n", crc32fast::hash(content.as_bytes()))
        })
        .collect();
    assert_ne!(edited, text);
    fs::write(second, zstd::encode_all(edited.as_bytes(), 3).unwrap()).unwrap();
    let verified = verify(folder.path());
    assert_eq!(grades(&verified), ["edited"], "{verified}");

    // The same without the checksum.
    fs::write(second, zstd::encode_all(text.replacen("no_credentials", "access_denied_", 1).as_bytes(), 3).unwrap())
        .unwrap();
    assert_eq!(grades(&verify(folder.path())), ["damaged"]);

    // A line taken out, the others moved up with it.
    let without: String =
        text.split_inclusive('\n').enumerate().filter(|(number, _)| *number != 3).map(|(_, line)| line).collect();
    fs::write(second, zstd::encode_all(without.as_bytes(), 3).unwrap()).unwrap();
    assert_eq!(grades(&verify(folder.path())), ["edited"]);
    fs::write(second, whole).unwrap();
    assert_eq!(grades(&verify(folder.path())), Vec::<&str>::new());
    assert!(third.exists());
}

#[tokio::test]
async fn the_index_can_be_deleted_at_any_time() {
    let folder = several_segments().await;
    let list = || run_in(folder.path(), &["log", "ls", "--all", "--error", "no_credentials", "--json"]).1;
    let before = list();
    assert_eq!(before.lines().count(), 400);
    let index = folder.path().join("log/index");
    fs::remove_dir_all(&index).unwrap();
    assert_eq!(list(), before);
    for file in fs::read_dir(&index).unwrap() {
        fs::write(file.unwrap().path(), "nonsense").unwrap();
    }
    assert_eq!(list(), before);
}

#[tokio::test]
async fn old_segments_are_dropped_by_size_and_each_drop_is_on_record() {
    let gateway = gateway_alone("segment_size = \"64 KiB\"\nmax_total = \"192 KiB\"");
    let folder = gateway.config_file().parent().unwrap().to_owned();
    let deadline = Instant::now() + Duration::from_secs(60);
    while segments(&folder)[0].ends_with("00000000000000000001.jsonl.zst")
        || segments(&folder)[0].ends_with("00000000000000000001.jsonl")
    {
        assert!(Instant::now() < deadline, "nothing is dropped");
        large_lines(&gateway, 50).await;
    }
    let folder = gateway.stop();
    let dropped = all_lines(folder.path()).into_iter().find(|line| line["event"] == "segment.dropped");
    let verified = verify(folder.path());
    assert_eq!((&verified["sound"], grades(&verified)), (&json!(true), Vec::new()), "{verified}");
    let dropped = dropped.unwrap();
    assert_eq!(
        (&dropped["file"], &dropped["reason"]),
        (&json!("00000000000000000001.jsonl"), &json!("size")),
        "{dropped}"
    );
    assert!(!folder.path().join("log/index/00000000000000000001.idx").exists());
}

#[tokio::test]
async fn a_call_in_doubt_is_carried_over_when_its_segment_is_dropped_with_its_files() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let more = "[log]\nsegment_size = \"64 KiB\"\nmax_total = \"192 KiB\"";
    let gateway = Gateway::before(&proxy.url, &odoo.database, more);
    let client = Client::with_bearer(&gateway).await;
    let reached = Arc::new(Notify::new());
    let hold = Fault::Hold { reached: reached.clone(), release: Arc::default() };
    proxy.run(move |_, rpc| if rpc.ends_with("/create") { hold.clone() } else { Fault::Pass });
    let comment = "in doubt ".repeat(2_000);
    let body =
        json!({"model": "res.partner", "vals": {"payload": {"name": "in doubt", "comment": comment}}}).to_string();
    let call = tokio::spawn(async move { client.try_post("create_data", body).await.map(|_| ()) });
    reached.notified().await;
    let folder = gateway.kill();
    call.await.unwrap().unwrap_err();

    let gateway = Gateway::again(folder).unwrap();
    let first = gateway.log_folder().join("00000000000000000001.jsonl");
    let first_sealed = first.with_extension("jsonl.zst");
    let deadline = Instant::now() + Duration::from_secs(60);
    while first.exists() || first_sealed.exists() {
        assert!(Instant::now() < deadline, "nothing is dropped");
        large_lines(&gateway, 50).await;
    }
    let listed = gateway.run_json(&["log", "ls", "--in-doubt", "--json"]);
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!((&listed[0]["model"], &listed[0]["state"]), (&json!("res.partner"), &json!("in_doubt")));
    let shown = gateway.run_json(&["log", "show", listed[0]["id"].as_str().unwrap(), "--json"]);
    assert_eq!(shown[0]["lines"][0]["vals"]["payload"]["comment"], comment);
    assert!(shown[0]["lines"][0]["carried_from"].is_u64());
    assert_eq!(shown[0]["lines"][1]["event"], "call.planned");
    let (status, verdict, _) = gateway.run(&["log", "verify"]);
    assert_eq!(status, Some(0), "{verdict}");
}

#[tokio::test]
async fn large_values_are_kept_once_beside_the_log_and_come_back() {
    let gateway = Gateway::start().await;
    let client = Client::with_bearer(&gateway).await;
    let datas = "QUJD".repeat(5_000);
    let mut ids = Vec::new();
    for _ in 0..2 {
        let payload = json!({"name": "with a file", "attachment_ids": [{"name": "a.txt", "datas": datas}]});
        let answer =
            client.post("create_data", json!({"model": "res.partner", "vals": {"payload": payload}}).to_string()).await;
        assert_eq!(answer.json["result"]["is_success"], true, "{answer:?}");
        ids.push(answer.headers["gateway-call-id"].to_str().unwrap().to_owned());
    }
    assert!(!gateway.log_text().contains(&datas[..400]));
    let blobs = shell(gateway.config_file().parent().unwrap(), "find blobs -type f");
    assert_eq!(blobs.lines().count(), 1, "{blobs}");
    let file = &gateway.log()[0]["vals"]["payload"]["attachment_ids"][0]["datas"];
    assert_eq!((&file["size"], &file["kind"]), (&json!(datas.len()), &json!("text")));
    let shown = gateway.run_json(&["log", "show", &ids[1], "--json"]);
    assert_eq!(shown[0]["lines"][0]["vals"]["payload"]["attachment_ids"][0]["datas"], datas);

    let blob = gateway.log_folder().join(blobs.trim());
    let whole = fs::read(&blob).unwrap();
    fs::write(&blob, zstd::encode_all(&b"something else"[..], 3).unwrap()).unwrap();
    assert_eq!(grades(&verify(gateway.config_file().parent().unwrap())), ["damaged"]);
    fs::remove_file(&blob).unwrap();
    assert_eq!(grades(&verify(gateway.config_file().parent().unwrap())), ["lost"]);
    fs::write(&blob, whole).unwrap();
    assert_eq!(verify(gateway.config_file().parent().unwrap())["sound"], true);
}
