! Intrinsic functions of one kind of real numbers against their derivatives, which are computed from passive numbers.
!
! The preprocessor sets KIND to a kind of iso_c_binding.
program fortran_intrinsics
  use, intrinsic :: iso_c_binding
  implicit none
  integer, parameter :: wp = KIND
  interface
    subroutine set_dot(x, dot) bind(c)
      import
      real(wp), intent(inout) :: x
      real(wp), value :: dot
    end subroutine
    subroutine check_named(name, y, expected) bind(c)
      import
      character(kind=c_char), intent(in) :: name(*)
      real(wp), value :: y, expected
    end subroutine
  end interface
  real(wp), parameter :: pi = 3.14159265358979323846264338327950288_wp
  ! Not known to the compiler.
  real(wp), volatile :: unknown = 1.3_wp
  integer, volatile :: three = 3
  integer(c_int64_t), volatile :: long_three = 3
  real(wp) :: a
  a = unknown
  call elementary(a)
  call special(a)
  call powers(a)
  call parts_of_numbers(a)
  call whole_arrays()
  call complex_numbers(a)
contains
  ! A passive number becomes an input with the dot value 1.
  real(wp) function active(x)
    real(wp), intent(in) :: x
    active = x
    call set_dot(active, 1.0_wp)
  end function

  subroutine check(name, y, expected)
    character(*), intent(in) :: name
    real(wp), intent(in) :: y, expected
    call check_named(name // c_null_char, y, expected)
  end subroutine

  subroutine elementary(x)
    real(wp), intent(in) :: x
    real(wp) :: t, u
    t = active(x)
    u = active(x / 3)
    call check("sin", sin(t), cos(x))
    call check("cos", cos(t), -sin(x))
    call check("tan", tan(t), 1 / cos(x)**2)
    call check("asin", asin(u), 1 / sqrt(1 - (x / 3)**2))
    call check("acos", acos(u), -1 / sqrt(1 - (x / 3)**2))
    call check("atan", atan(t), 1 / (1 + x * x))
    call check("atan2", atan2(t, 2.0_wp), 2 / (4 + x * x))
    call check("atan2 of both", atan2(t, u), (x / 3 - x) / (x * x + x * x / 9))
    call check("sinh", sinh(t), cosh(x))
    call check("cosh", cosh(t), sinh(x))
    call check("tanh", tanh(t), 1 / cosh(x)**2)
    call check("asinh", asinh(t), 1 / sqrt(1 + x * x))
    call check("acosh", acosh(t), 1 / sqrt(x * x - 1))
    call check("atanh", atanh(u), 1 / (1 - x * x / 9))
    call check("exp", exp(t), exp(x))
    call check("log", log(t), 1 / x)
    call check("log10", log10(t), 1 / (x * log(10.0_wp)))
    call check("sqrt", sqrt(t), 1 / (2 * sqrt(x)))
    call check("hypot", hypot(t, 2.0_wp), x / hypot(x, 2.0_wp))
    call check("abs", abs(-t), 1.0_wp)
    call check("sign", sign(t, -2.0_wp), -1.0_wp)
    call check("dim", dim(t, u), 0.0_wp)
    call check("dim of less", dim(u, t), 0.0_wp)
    call check("dim of one", dim(t, 1.0_wp), 1.0_wp)
    call check("min", min(t, 2 * u, x), 2.0_wp)
    call check("max", max(t, u), 1.0_wp)
    call check("passed sine", applied(sine, t), cos(x))
  end subroutine

  real(wp) function sine(x)
    real(wp), intent(in) :: x
    sine = sin(x)
  end function

  real(wp) function applied(function_, x)
    interface
      real(wp) function function_(x)
        import
        real(wp), intent(in) :: x
      end function
    end interface
    real(wp), intent(in) :: x
    applied = function_(x)
  end function

  subroutine special(x)
    real(wp), intent(in) :: x
    real(wp) :: t, orders(0:4), far
    integer :: i
    t = active(x)
    call check("erf", erf(t), 2 / sqrt(pi) * exp(-x * x))
    call check("erfc", erfc(t), -2 / sqrt(pi) * exp(-x * x))
    do i = -2, 12
      far = x * i / 2
      ! The difference cancels by the square of the number.
      call check("erfc_scaled", erfc_scaled(active(far)) / (1 + far**2), scaled_slope(far) / (1 + far**2))
    end do
    ! The digamma function at 5, and at a half.
    call check("gamma", gamma(active(5.0_wp)), 24 * (25 / 12.0_wp - euler()))
    call check("log_gamma", log_gamma(active(5.0_wp)), 25 / 12.0_wp - euler())
    call check("gamma of a half", gamma(active(0.5_wp)), sqrt(pi) * (-euler() - 2 * log(2.0_wp)))
    call check("bessel_j0", bessel_j0(t), -bessel_j1(x))
    call check("bessel_j1", bessel_j1(t), (bessel_j0(x) - bessel_jn(2, x)) / 2)
    call check("bessel_jn", bessel_jn(three, t), (bessel_jn(2, x) - bessel_jn(4, x)) / 2)
    call check("bessel_y0", bessel_y0(t), -bessel_y1(x))
    call check("bessel_y1", bessel_y1(t), (bessel_y0(x) - bessel_yn(2, x)) / 2)
    call check("bessel_yn", bessel_yn(three, t), (bessel_yn(2, x) - bessel_yn(4, x)) / 2)
    orders = bessel_jn(0, 4, t)
    do i = 1, 3
      call check("orders of bessel_jn", orders(i), (bessel_jn(i - 1, x) - bessel_jn(i + 1, x)) / 2)
    end do
    orders = bessel_yn(0, 4, t)
    do i = 1, 3
      call check("orders of bessel_yn", orders(i), (bessel_yn(i - 1, x) - bessel_yn(i + 1, x)) / 2)
    end do
  end subroutine

  real(wp) function euler()
    euler = 0.577215664901532860606512090082402431_wp
  end function

  ! Derivative of erfc_scaled: 2 x f - 2 / sqrt(pi).
  real(wp) function scaled_slope(x)
    real(wp), intent(in) :: x
    scaled_slope = 2 * (x * erfc_scaled(x) - 1 / sqrt(pi))
  end function

  subroutine powers(x)
    real(wp), intent(in) :: x
    real(wp) :: t
    t = active(x)
    call check("x**2", t**2, 2 * x)
    call check("x**7", t**7, 7 * x**6)
    call check("x**(-3)", t**(-3), -3 / x**4)
    call check("x**n", t**three, 3 * x**2)
    call check("x**(-n)", t**(-three), -3 / x**4)
    call check("x**0", t**(three - 3) + t, 1.0_wp)
    call check("x**long n", t**long_three, 3 * x**2)
    call check("x**(-long n)", t**(-long_three), -3 / x**4)
    call check("x**y of x", t**2.5_wp, 2.5_wp * x**1.5_wp)
    call check("x**y of y", 2.5_wp**t, 2.5_wp**x * log(2.5_wp))
    call check("x**y of both", t**t, x**x * (log(x) + 1))
    call check("negative x**y", (-t)**three, -3 * x**2)
  end subroutine

  subroutine parts_of_numbers(x)
    real(wp), intent(in) :: x
    real(wp) :: t
    t = active(5 * x)
    call check("mod", mod(t, 2.0_wp), 1.0_wp)
    call check("mod of second", mod(20.0_wp, t), -3.0_wp)
    call check("modulo", modulo(-t, 2.0_wp), -1.0_wp)
    call check("modulo of second", modulo(-20.0_wp, t), 4.0_wp)
    call check("aint", t * aint(t), 6.0_wp)
    call check("anint", t * anint(t), 7.0_wp)
    call check("floor", t * floor(t), 6.0_wp)
    call check("ceiling", t * ceiling(t), 7.0_wp)
    call check("int", t * int(t), 6.0_wp)
    call check("nint", t * nint(t), 7.0_wp)
    call check("exponent", t * exponent(t), 3.0_wp)
    call check("fraction", fraction(t), 0.125_wp)
    call check("scale", scale(t, three), 8.0_wp)
    call check("set_exponent", set_exponent(t, three + 2), 4.0_wp)
    call check("nearest", nearest(t, -1.0_wp), 1.0_wp)
    call check("spacing", t * spacing(t), spacing(5 * x))
    call check("rrspacing", rrspacing(t) * epsilon(t), 0.25_wp)
  end subroutine

  subroutine whole_arrays()
    real(wp), allocatable :: u(:), v(:), a(:, :), b(:, :), c(:, :)
    integer, parameter :: sizes(4) = [3, 8, 33, 70]
    integer :: i, n, which
    do which = 1, size(sizes)
      n = sizes(which)
      allocate (u(n), v(n), a(n, n), b(n, n), c(n, n))
      ! Few bits: sums are exact, whatever their order.
      u = [(1.25_wp + i / 8.0_wp, i = 1, n)]
      v = [(mod(i, 5) / 4.0_wp, i = 1, n)]
      do i = 1, n
        a(:, i) = u * (1 + mod(i, 7))
        b(:, i) = v * mod(i, 3)
      end do
      u(2) = active(u(2))
      a(2, 3) = active(a(2, 3))
      call check("norm2", norm2(u), passive_part(u(2)) / sqrt(passive_part(dot_product(u, u))))
      call check("dot_product", dot_product(u, v), v(2))
      call check("sum", sum(u), 1.0_wp)
      call check("sum of squares", sum(u * u), 2 * passive_part(u(2)))
      call check("product", product(u(1:3)), passive_part(u(1) * u(3)))
      c = matmul(a, b)
      call check("matmul", c(2, 1), b(3, 1))
      call check("sum of matmul", sum(c), sum(b(3, :)))
      c = matmul(transpose(a), b)
      call check("matmul of transposed", c(3, 1), b(2, 1))
      call check("matmul by vector", sum(matmul(a, v)), v(3))
      call check("vector by matmul", sum(matmul(v, a)), v(2))
      call check("maxval", maxval(u * merge(100, 1, [(i == 2, i = 1, n)])), 100.0_wp)
      call check("findloc", real(maxloc(u, 1), wp) * u(2), real(n, wp))
      deallocate (u, v, a, b, c)
    end do
  end subroutine

  ! The number without its shadow.
  real(wp) function passive_part(x)
    real(wp), intent(in) :: x
    interface
      real(wp) function passive_number(x) bind(c)
        import
        real(wp), value :: x
      end function
    end interface
    passive_part = passive_number(x)
  end function

  subroutine complex_numbers(x)
    real(wp), intent(in) :: x
    complex(wp) :: z, t
    t = cmplx(x, x / 3, wp)
    z = cmplx(active(x), x / 3, wp)
    call check_complex("sin", sin(z), cos(t))
    call check_complex("cos", cos(z), -sin(t))
    call check_complex("tan", tan(z), 1 / cos(t)**2)
    call check_complex("asin", asin(z), 1 / sqrt(1 - t * t))
    call check_complex("acos", acos(z), -1 / sqrt(1 - t * t))
    call check_complex("atan", atan(z), 1 / (1 + t * t))
    call check_complex("sinh", sinh(z), cosh(t))
    call check_complex("cosh", cosh(z), sinh(t))
    call check_complex("tanh", tanh(z), 1 / cosh(t)**2)
    call check_complex("asinh", asinh(z), 1 / sqrt(1 + t * t))
    call check_complex("acosh", acosh(z), 1 / (sqrt(t - 1) * sqrt(t + 1)))
    call check_complex("atanh", atanh(z), 1 / (1 - t * t))
    call check_complex("exp", exp(z), exp(t))
    call check_complex("log", log(z), 1 / t)
    call check_complex("sqrt", sqrt(z), 1 / (2 * sqrt(t)))
    call check_complex("z**3", z**3, 3 * t**2)
    call check_complex("z**n", z**three, 3 * t**2)
    call check_complex("z**(-n)", z**(-three), -3 / t**4)
    call check_complex("z**long n", z**long_three, 3 * t**2)
    call check_complex("z**w", z**(0.5_wp, -2.0_wp), (0.5_wp, -2.0_wp) * t**(-0.5_wp, -2.0_wp))
    call check_complex("conjg", conjg(z), (1.0_wp, 0.0_wp))
    call check_complex("divided", (1.0_wp, 2.0_wp) / z, -(1.0_wp, 2.0_wp) / t**2)
    call check_complex("multiplied", z * z * z, 3 * t**2)
    call check("complex abs", abs(z), x / abs(t))
    call check("aimag", aimag(z * (0.0_wp, 2.0_wp)), 2.0_wp)
  end subroutine

  subroutine check_complex(name, y, expected)
    character(*), intent(in) :: name
    complex(wp), intent(in) :: y, expected
    call check("real part of " // name, real(y), real(expected))
    call check("imaginary part of " // name, aimag(y), aimag(expected))
  end subroutine
end program
