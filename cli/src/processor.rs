//! Can this processor keep shadows where the user wants them?

use crate::failure::Failure;
use crate::options::VectorShadows;

/// Refuse `--vector-shadows=registers` on a host without the parts of AVX-512 that it needs.
pub fn check(wanted: VectorShadows) -> Result<(), Failure> {
    if wanted != VectorShadows::Registers {
        return Ok(());
    }
    let missing = missing_features();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::Option(format!(
        "--vector-shadows=registers needs a processor and a kernel with AVX-512, but {} missing here; use \
         --vector-shadows=memory or leave the choice to derivgrind",
        match missing.as_slice() {
            [one] => format!("{one} is"),
            several => format!("{} are", several.join(", ")),
        }
    )))
}

/// What the registers zmm16-31 and the instructions on them need and this host does not offer to programs.
fn missing_features() -> Vec<&'static str> {
    let features = [
        ("AVX512F", std::is_x86_feature_detected!("avx512f")),
        ("AVX512BW", std::is_x86_feature_detected!("avx512bw")),
        ("AVX512DQ", std::is_x86_feature_detected!("avx512dq")),
        ("AVX512VL", std::is_x86_feature_detected!("avx512vl")),
    ];
    features.into_iter().filter(|(_, present)| !present).map(|(name, _)| name).collect()
}
