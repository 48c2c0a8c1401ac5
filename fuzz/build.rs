//! Lets the linker drop the counters of code that a target cannot reach, as it drops that code: else the fuzzer looks at the 1.4
//! million counters of the whole gateway after each input, which takes ten times as long as the reader. lld, which the nightly
//! toolchain links with, knows the option; mold does not.

fn main() {
    println!("cargo:rustc-link-arg-bins=-Wl,-z,start-stop-gc");
}
