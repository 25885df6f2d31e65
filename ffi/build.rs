//! Gives the shared library the name under which programs look for it.

fn main() {
    // The first number changes when a program that was linked with an older library would not work.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libderivgrind.so.0");
    println!("cargo:rerun-if-changed=build.rs");
}
