//! exp and softmax from IEEE 754 additions and multiplications alone: the C library's exp differs
//! between platforms in the last bit, and training must give the same bytes everywhere.

/// e^x for x ≤ 0, relative error below 1e-12; 0 under -700.
pub(super) fn exp_of_negative(x: f64) -> f64 {
    if x < -700.0 {
        return 0.0;
    }
    // e^x = (e^(x / 1024))^1024, and the inner one by its series.
    let r = x / 1024.0;
    let mut term = 1.0;
    let mut sum = 1.0;
    for n in 1..10_u32 {
        term = term * r / f64::from(n);
        sum += term;
    }
    for _ in 0..10 {
        sum *= sum;
    }
    sum
}

/// The natural logarithm of x ≥ 1.
pub(super) fn ln(x: f64) -> f64 {
    let mut m = x;
    let mut halvings = 0.0;
    while m > 1.5 {
        m /= 2.0;
        halvings += 1.0;
    }
    // ln m = 2 artanh((m - 1) / (m + 1)).
    let t = (m - 1.0) / (m + 1.0);
    let mut power = t;
    let mut sum = 0.0;
    for n in 0..16_u32 {
        sum += power / f64::from(2 * n + 1);
        power *= t * t;
    }
    halvings * std::f64::consts::LN_2 + 2.0 * sum
}

/// Turns scores into shares that add up to 1; gives the logarithm of what they were divided by.
pub(super) fn softmax<const N: usize>(scores: &mut [f64; N]) -> f64 {
    let top = scores.iter().copied().fold(f64::MIN, f64::max);
    let mut sum = 0.0;
    for s in scores.iter_mut() {
        *s = exp_of_negative(*s - top);
        sum += *s;
    }
    for s in scores.iter_mut() {
        *s /= sum;
    }
    top + ln(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_close_to_the_library_s() {
        for x in [0.0, -1e-9, -0.1, -1.0, -7.5, -30.0, -200.0] {
            let (ours, theirs) = (exp_of_negative(x), x.exp());
            assert!(
                (ours - theirs).abs() <= 1e-10 * theirs,
                "{x}: {ours} {theirs}"
            );
        }
        assert!(exp_of_negative(-1e4) < f64::MIN_POSITIVE);
    }

    #[test]
    fn ln_is_close_to_the_library_s() {
        for x in [1.0, 1.2, 1.5, 1.7, 2.0, 9.0, 1e6] {
            assert!((ln(x) - f64::ln(x)).abs() < 1e-12, "{x}");
        }
    }

    #[test]
    fn softmax_adds_up_to_one() {
        let mut s = [1000.0, 999.0, -1000.0];
        softmax(&mut s);
        assert!((s.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!(s[0] > s[1] && s[2] < 1e-12);
    }
}
