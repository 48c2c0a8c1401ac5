//! The log's files: what other tools read, what a crash leaves, and what is found when bytes have changed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::json;

use crate::support::{
    gateway::{Gateway, all_lines, run_in},
    segments::{all_sealed, gateway_alone, grades, refused_calls, segments, several_segments, shell, verify},
};

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
    assert!(live > 0 && sealed > 200, "{live} {sealed}");
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
    // Which line that is depends on what a busy machine has let the log say of itself before.
    let lost = &before.iter().find(|line| line["address"] == "127.0.0.1").unwrap()["seq"];
    assert!(status == Some(0) && repaired.contains(&format!("lost: line {lost}\n")), "{repaired}");
    let kept = fs::read_dir(folder.path().join("log")).unwrap().map(|file| file.unwrap().path());
    let kept: Vec<PathBuf> = kept.filter(|file| file.to_str().unwrap().contains(".damaged-")).collect();
    assert_eq!((kept.len(), fs::read(&kept[0]).unwrap()), (1, bytes));
    let after = all_lines(folder.path());
    let gap = after.iter().find(|line| line["event"] == "log.gap").unwrap();
    assert_eq!((&gap["seq"], &gap["to"]), (lost, lost));
    for line in before.iter().filter(|line| line["seq"] != *lost) {
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
async fn a_repair_that_was_cut_short_is_completed_by_the_next() {
    let folder = several_segments().await;
    let second = segments(folder.path()).remove(1);
    let mut bytes = fs::read(&second).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(&second, &bytes).unwrap();
    // The last segment as it is before the repair tells of itself there.
    let last = segments(folder.path()).pop().unwrap();
    let before = fs::read(&last).unwrap();
    assert_eq!(run_in(folder.path(), &["log", "repair"]).0, Some(0));
    fs::write(&last, before).unwrap();
    assert_eq!(verify(folder.path())["sound"], false);
    let (status, told, _) = run_in(folder.path(), &["log", "repair"]);
    assert!(status == Some(0) && told.contains("made anew"), "{told}");
    let verified = verify(folder.path());
    assert_eq!(verified["sound"], true, "{verified}");
}
