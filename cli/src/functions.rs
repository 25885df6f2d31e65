//! What functions of libraries do, as far as the summary at exit has to know: names tell that an instruction on the
//! bits of a number says nothing about derivatives.

use crate::symbols::Place;

/// Why a derivative is not missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The result is a position, an order, a hash value or a set of flags. It is not listed.
    Comparison,
    /// A number becomes text, which has no derivative.
    Conversion,
}

/// What the function is for in which an instruction stands, or one of those that it was inlined into.
pub fn purpose(place: &Place) -> Option<Purpose> {
    let any = |is: fn(&str) -> bool| place.functions.iter().any(|function| is(function));
    if any(compares) {
        Some(Purpose::Comparison)
    } else if any(converts_to_text) || is_nameless_in_libc(place) {
        Some(Purpose::Conversion)
    } else {
        None
    }
}

/// Functions of the C library that look at bytes, formats or control words: strings are compared in steps of a vector
/// register, whose bytes behind the end may be numbers. And hash values of numbers.
#[rustfmt::skip] // One family a line.
const COMPARISONS: &[&str] = &[
    "strlen", "strnlen", "wcslen", "wcsnlen",
    "strchr", "strchrnul", "strrchr", "index", "rindex", "wcschr", "wcsrchr",
    "memchr", "memrchr", "rawmemchr", "wmemchr",
    "strcmp", "strncmp", "strcasecmp", "strncasecmp", "wcscmp", "wcsncmp",
    "memcmp", "memcmpeq", "bcmp", "wmemcmp",
    "strcspn", "strspn", "strpbrk", "strstr", "strcasestr", "memmem",
    "parse_one_specmb", "parse_one_specwc",
    "feclearexcept", "fedisableexcept", "feenableexcept", "fegetenv", "fegetexcept", "fegetround", "feholdexcept",
    "feraiseexcept", "fesetenv", "fesetexcept", "fesetround", "fetestexcept", "feupdateenv",
    "Py_HashDouble",
    "std::_Hash_bytes(void const*, unsigned long, unsigned long)",
    "std::_Fnv_hash_bytes(void const*, unsigned long, unsigned long)",
];

/// What glibc appends to names of functions of which it has one for each kind of processor.
#[rustfmt::skip] // One family a line.
const VARIANTS: &[&str] = &[
    "sse2", "ssse3", "sse4", "sse42", "avx", "avx2", "evex", "evex256", "evex512",
    "1", "2", "rtm", "movbe", "unaligned", "no", "bsf", "generic", "asm", "nonascii", "l",
];

/// A name of [`COMPARISONS`], with the signs of internal names before and of variants behind it.
fn compares(name: &str) -> bool {
    let name = name.strip_prefix("__GI_").unwrap_or(name).trim_start_matches('_');
    COMPARISONS.iter().any(|known| {
        let rest = name.strip_prefix(known);
        rest.is_some_and(|rest| rest.is_empty() || is_variant(rest))
    })
}

fn is_variant(rest: &str) -> bool {
    rest.strip_prefix('_').is_some_and(|words| words.split('_').all(|word| VARIANTS.contains(&word)))
}

/// Functions that convert a number to text, which they take apart as an integer: of glibc, CPython and Rust.
const CONVERSIONS: &[&str] = &[
    "__printf_fp",
    "__printf_fp_l",
    "__printf_fphex",
    "_Py_dg_dtoa",
    "<f32 as core::num::dec2flt::float::RawFloat>::integer_decode",
    "<f64 as core::num::dec2flt::float::RawFloat>::integer_decode",
];

/// How the names of others begin, the arithmetic of glibc and NumPy with long integers among them.
#[rustfmt::skip] // One library a line.
const CONVERSION_PREFIXES: &[&str] = &[
    "__mpn_",
    "BigInt_", "Dragon4",
    "core::fmt::float::", "core::num::flt2dec::", "core::num::diy_float::", "core::num::bignum::",
];

fn converts_to_text(name: &str) -> bool {
    CONVERSIONS.contains(&name) || CONVERSION_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// In a stripped C library what converts to text has no symbol, while the functions of that library that compute
/// (frexp, ldexp, modf and the like) are exported.
fn is_nameless_in_libc(place: &Place) -> bool {
    let is_libc = |module: &String| module.starts_with("libc.so") || module.starts_with("libc-");
    place.functions.is_empty() && place.module.as_ref().is_some_and(is_libc)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str]) -> Option<Purpose> {
        purpose(&Place {
            functions: names.iter().map(|name| name.to_string()).collect(),
            module: Some("libc.so.6".to_string()),
            ..Place::default()
        })
    }

    #[test]
    fn variants_of_comparisons() {
        for name in [
            "strlen",
            "__strlen_avx2",
            "__strlen_sse2",
            "__strchrnul_evex",
            "__memcmp_avx2_movbe_rtm",
            "__memcmpeq_evex",
            "__strcasecmp_l_sse42",
            "__wcsnlen_sse4_1",
            "__GI___fetestexcept",
            "__GI_fetestexcept",
            "__parse_one_specmb",
            "_Py_HashDouble",
        ] {
            assert_eq!(of(&[name]), Some(Purpose::Comparison), "{name}");
        }
    }

    #[test]
    fn what_copies_or_computes_is_none() {
        for name in
            ["strcpy", "__memmove_avx_unaligned_erms", "__strcpy_avx2", "memcmp_and_add", "strlens", "frexp"]
        {
            assert_eq!(of(&[name]), None, "{name}");
        }
    }

    #[test]
    fn an_inlined_function_belongs_to_the_outer_one() {
        let outer = "core::fmt::float::float_to_decimal_common_shortest";
        assert_eq!(of(&["core::f64::<impl f64>::to_bits", outer]), Some(Purpose::Conversion));
        assert_eq!(of(&["core::f64::<impl f64>::to_bits", "energy"]), None);
        assert_eq!(of(&[]), Some(Purpose::Conversion));
    }
}
