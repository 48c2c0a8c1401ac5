//! Lets the linker drop the counters of code that a target cannot reach, as it drops that code: else a fuzzer looks at the
//! counters of the whole gateway after each input, which takes ten times as long as the reader.

fn main() {
    println!("cargo:rustc-link-arg-bins=-Wl,-z,start-stop-gc");
}
