! A program as it was written for the classic tool: the old module, and addresses of variables.
program classic
  use, intrinsic :: iso_c_binding
  use derivgrind_clientrequests
  implicit none
  real(8), target :: a = 3, b = -4, product_of_both
  real(4), target :: single = 3
  type(c_ptr) :: address
  call set(a, 1d0)
  call dg_inputf(c_loc(a))
  address = c_loc(b)
  call dg_inputf(address)
  product_of_both = a * b
  call get(product_of_both)
  call dg_outputf(c_loc(product_of_both))
  block
    real(4), target :: dot = 1
    call dg_set_dotvalue(c_loc(single), c_loc(dot), 4)
    single = single * single
    dot = 0
    call valgrind_get_derivative(c_loc(single), c_loc(dot), 4)
    print '(f5.1)', dot
  end block
  call dg_mark_float(c_loc(a), 8)

contains

  subroutine set(x, dotvalue)
    real(8), target :: x, dotvalue
    call dg_set_dotvalue(c_loc(x), c_loc(dotvalue), 8)
  end subroutine

  subroutine get(x)
    real(8), target :: x
    real(8), target :: dot
    dot = 0
    call dg_get_dotvalue(c_loc(x), c_loc(dot), 8)
    print '(f5.1)', dot
  end subroutine
end program
