! Array expressions, intrinsic functions, complex numbers, derived types and internal procedures.
program fortran_arrays
  use, intrinsic :: iso_c_binding
  implicit none
  integer, parameter :: wp = c_double
  interface
    subroutine set_dot(x, dot) bind(c)
      import
      real(c_double), intent(inout) :: x
      real(c_double), value :: dot
    end subroutine
    subroutine check_named(name, y, expected) bind(c)
      import
      character(kind=c_char), intent(in) :: name(*)
      real(c_double), value :: y, expected
    end subroutine
  end interface
  type point
    integer :: tag
    real(wp) :: position(3)
  end type
  real(wp) :: x(8), y(8), d(8), a(4, 4), b(4, 4), c(4, 4), da(4, 4)
  complex(wp) :: z
  type(point) :: points(3), other
  integer :: i, j
  do i = 1, 8
    x(i) = 0.5_wp * i - 2.25_wp
    d(i) = i
    call set_dot(x(i), d(i))
  end do
  call check_named("sum" // c_null_char, sum(x), sum(d))
  call check_named("product" // c_null_char, product(x(5:8)), product(x(5:8)) * sum(d(5:8) / x(5:8)))
  call check_named("dot_product" // c_null_char, dot_product(x, x), 2 * dot_product(x, d))
  call check_named("maxval" // c_null_char, maxval(x), d(8))
  call check_named("minval" // c_null_char, minval(x), d(1))
  y = x(8:1:-1) * 2 - x
  call check_named("reversed" // c_null_char, y(2), 2 * d(7) - d(2))
  where (x > 0)
    y = x * x
  elsewhere
    y = -x
  end where
  call check_named("where" // c_null_char, y(8), 2 * x(8) * d(8))
  call check_named("elsewhere" // c_null_char, y(1), -d(1))
  call check_named("abs" // c_null_char, abs(x(1)), -d(1))
  call check_named("sign" // c_null_char, sign(x(1), x(8)), -d(1))
  call check_named("max" // c_null_char, max(x(1), x(3), x(2)), d(3))
  call check_named("merge" // c_null_char, merge(x(1), x(2), x(1) > 0), d(2))
  call check_named("cshift" // c_null_char, sum(cshift(x, 3) * [1, 0, 0, 0, 0, 0, 0, 2]), d(4) + 2 * d(3))
  call check_named("power" // c_null_char, x(8) ** 5, 5 * x(8) ** 4 * d(8))
  call check_named("sqrt" // c_null_char, sqrt(x(8)), d(8) / (2 * sqrt(x(8))))
  do j = 1, 4
    do i = 1, 4
      a(i, j) = i + 2 * j
      b(i, j) = i - j
      da(i, j) = i * j
      call set_dot(a(i, j), da(i, j))
    end do
  end do
  c = matmul(a, transpose(b))
  da = matmul(da, transpose(b))
  call check_named("matmul" // c_null_char, c(2, 3), da(2, 3))
  call check_named("trace" // c_null_char, trace(c), trace(da))
  z = cmplx(x(7), x(8), wp)
  z = z * z / (1, 2)
  call check_named("complex" // c_null_char, real(z), real(2 * cmplx(x(7), x(8), wp) * cmplx(d(7), d(8), wp) / (1, 2), wp))
  points%tag = 1
  do i = 1, 3
    points(i)%position = x(i:i + 2)
  end do
  other = points(2)
  points(1) = other
  call check_named("derived type" // c_null_char, points(1)%position(3) * 2, 2 * d(4))
  call check_named("recursion" // c_null_char, tower(6, x(8)), 6 * d(8))
contains
  real(wp) function trace(matrix)
    real(wp), intent(in) :: matrix(:, :)
    integer :: k
    trace = 0
    do k = 1, size(matrix, 1)
      trace = trace + matrix(k, k)
    end do
  end function
  recursive real(wp) function tower(n, t) result(total)
    integer, intent(in) :: n
    real(wp), intent(in) :: t
    total = 0
    if (n > 0) total = t + tower(n - 1, t)
  end function
end program
