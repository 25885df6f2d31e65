! The cube of a number, and its derivative.
program cube
  use derivgrind
  implicit none
  real(8) :: x, y, dot

  x = 3
  ! Forward mode: the derivative of x with respect to itself is 1.
  call dg_set_dotvalue(x, 1d0)
  ! Recording: x is an input.
  call dg_inputf(x)

  y = x**3
  print '(a, es24.16)', 'value', y

  if (dg_get_mode() == dg_mode_forward) then
    call dg_get_dotvalue(y, dot)
    print '(a, es24.16)', 'derivative', dot
  end if
  call dg_outputf(y)
end program
