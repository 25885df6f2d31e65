//! Links the engine as a static executable at the address where no client and no shadow is.

/// Start of the engine's image; see `ENGINE_START` in `memory.rs`.
const IMAGE_BASE: &str = "0x500000000000";

fn main() {
    let arguments = [
        "-nostartfiles".to_string(),
        "-nostdlib".to_string(),
        "-static".to_string(),
        "-no-pie".to_string(),
        format!("-Wl,--image-base={IMAGE_BASE}"),
        "-Wl,-z,noexecstack".to_string(),
        "-Wl,--build-id=none".to_string(),
    ];
    for argument in arguments {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
    println!("cargo:rerun-if-changed=build.rs");
}
