fn main() -> anyhow::Result<()> {
    xtask::headers::run(std::path::Path::new(&std::env::args().nth(1).unwrap()), false)
}
