//! Numbers of two bytes: binary16 and bfloat16. Their shadows have two bytes, too: a dot value of the same format, as
//! precise as native arithmetic with such numbers is. An index has no room there.

use super::{Lanes, Rule};
use crate::computed::Real;
use iced_x86::Mnemonic;
use Mnemonic::*;

/// Arithmetic of binary16, and the instruction that does the same to binary32.
#[rustfmt::skip] // One family a line.
const ARITHMETIC: &[(Mnemonic, Mnemonic)] = &[
    (Vaddph, Vaddps), (Vaddsh, Vaddss), (Vsubph, Vsubps), (Vsubsh, Vsubss),
    (Vmulph, Vmulps), (Vmulsh, Vmulss), (Vdivph, Vdivps), (Vdivsh, Vdivss),
    (Vminph, Vminps), (Vminsh, Vminss), (Vmaxph, Vmaxps), (Vmaxsh, Vmaxss),
    (Vsqrtph, Vsqrtps), (Vsqrtsh, Vsqrtss),
    (Vrcpph, Vrcp14ps), (Vrcpsh, Vrcp14ss), (Vrsqrtph, Vrsqrt14ps), (Vrsqrtsh, Vrsqrt14ss),
    (Vscalefph, Vscalefps), (Vscalefsh, Vscalefss), (Vgetmantph, Vgetmantps), (Vgetmantsh, Vgetmantss),
    (Vreduceph, Vreduceps), (Vreducesh, Vreducess),
    (Vrndscalesh, Vrndscaless), (Vgetexpsh, Vgetexpss),
    (Vfmadd132ph, Vfmadd132ps), (Vfmadd213ph, Vfmadd213ps), (Vfmadd231ph, Vfmadd231ps),
    (Vfmadd132sh, Vfmadd132ss), (Vfmadd213sh, Vfmadd213ss), (Vfmadd231sh, Vfmadd231ss),
    (Vfmsub132ph, Vfmsub132ps), (Vfmsub213ph, Vfmsub213ps), (Vfmsub231ph, Vfmsub231ps),
    (Vfmsub132sh, Vfmsub132ss), (Vfmsub213sh, Vfmsub213ss), (Vfmsub231sh, Vfmsub231ss),
    (Vfnmadd132ph, Vfnmadd132ps), (Vfnmadd213ph, Vfnmadd213ps), (Vfnmadd231ph, Vfnmadd231ps),
    (Vfnmadd132sh, Vfnmadd132ss), (Vfnmadd213sh, Vfnmadd213ss), (Vfnmadd231sh, Vfnmadd231ss),
    (Vfnmsub132ph, Vfnmsub132ps), (Vfnmsub213ph, Vfnmsub213ps), (Vfnmsub231ph, Vfnmsub231ps),
    (Vfnmsub132sh, Vfnmsub132ss), (Vfnmsub213sh, Vfnmsub213ss), (Vfnmsub231sh, Vfnmsub231ss),
    (Vfmaddsub132ph, Vfmaddsub132ps), (Vfmaddsub213ph, Vfmaddsub213ps), (Vfmaddsub231ph, Vfmaddsub231ps),
    (Vfmsubadd132ph, Vfmsubadd132ps), (Vfmsubadd213ph, Vfmsubadd213ps), (Vfmsubadd231ph, Vfmsubadd231ps),
];

/// Conversions between real numbers.
#[rustfmt::skip] // One row a line.
const CONVERSIONS: &[(Mnemonic, Real, Real, Lanes)] = &[
    (Vcvtph2ps, Real::Binary16, Real::Binary32, Lanes::Packed),
    (Vcvtph2psx, Real::Binary16, Real::Binary32, Lanes::Packed),
    (Vcvtph2pd, Real::Binary16, Real::Binary64, Lanes::Packed),
    (Vcvtsh2ss, Real::Binary16, Real::Binary32, Lanes::Scalar),
    (Vcvtsh2sd, Real::Binary16, Real::Binary64, Lanes::Scalar),
    (Vcvtps2ph, Real::Binary32, Real::Binary16, Lanes::Packed),
    (Vcvtps2phx, Real::Binary32, Real::Binary16, Lanes::Packed),
    (Vcvtpd2ph, Real::Binary64, Real::Binary16, Lanes::Packed),
    (Vcvtss2sh, Real::Binary32, Real::Binary16, Lanes::Scalar),
    (Vcvtsd2sh, Real::Binary64, Real::Binary16, Lanes::Scalar),
    (Vcvtneps2bf16, Real::Binary32, Real::Bfloat16, Lanes::Packed),
];

/// Products of complex numbers: is the second factor conjugated, and is the product added?
#[rustfmt::skip] // One row a line.
const COMPLEX_PRODUCTS: &[(Mnemonic, bool, bool, Lanes)] = &[
    (Vfmulcph, false, false, Lanes::Packed),
    (Vfmulcsh, false, false, Lanes::Scalar),
    (Vfcmulcph, true, false, Lanes::Packed),
    (Vfcmulcsh, true, false, Lanes::Scalar),
    (Vfmaddcph, false, true, Lanes::Packed),
    (Vfmaddcsh, false, true, Lanes::Scalar),
    (Vfcmaddcph, true, true, Lanes::Packed),
    (Vfcmaddcsh, true, true, Lanes::Scalar),
];

pub(super) fn rule(mnemonic: Mnemonic) -> Option<Rule> {
    if let Some((_, wider)) = ARITHMETIC.iter().find(|row| row.0 == mnemonic) {
        return Some(Rule::Binary16(*wider));
    }
    let conversion = CONVERSIONS.iter().find(|row| row.0 == mnemonic);
    if let Some((_, from, to, lanes)) = conversion {
        return Some(Rule::ConvertNarrow(*from, *to, *lanes));
    }
    let product = COMPLEX_PRODUCTS.iter().find(|row| row.0 == mnemonic);
    if let Some((_, conjugates, adds, lanes)) = product.copied() {
        return Some(Rule::ComplexProduct { conjugates, adds, lanes });
    }
    match mnemonic {
        Vcvtne2ps2bf16 => Some(Rule::ConvertPair),
        Vdpbf16ps => Some(Rule::SumOfProducts),
        _ => None,
    }
}
