! Sensitivities of an initial value problem: how many hares there are at the end, with respect to the four parameters of
! the Lotka-Volterra equations
!
!     hares'  = birth * hares - predation * hares * lynxes
!     lynxes' = growth * hares * lynxes - death * lynxes
!
! which the classical Runge-Kutta method integrates.
program ode
  use derivgrind
  implicit none
  real(8) :: p(4), direction(4), gradient(4), hares
  integer :: i

  p = [1.1d0, 0.4d0, 0.1d0, 0.4d0]
  call dg_inputf(p)
  hares = hares_at_the_end(p)
  call dg_outputf(hares)
  print '(a, es24.16)', 'value', hares

  if (dg_get_mode() == dg_mode_forward) then
    do i = 1, size(p)
      direction = 0
      direction(i) = 1
      call dg_set_dotvalue(p, direction)
      hares = hares_at_the_end(p)
      call dg_get_dotvalue(hares, gradient(i))
    end do
    print '(a, *(es24.16))', 'derivative', gradient
  end if

contains

  function slope(p, state)
    real(8), intent(in) :: p(4), state(2)
    real(8) :: slope(2), meetings
    meetings = state(1) * state(2)
    slope = [p(1) * state(1) - p(2) * meetings, p(3) * meetings - p(4) * state(2)]
  end function

  real(8) function hares_at_the_end(p)
    real(8), intent(in) :: p(4)
    integer, parameter :: steps = 200
    real(8), parameter :: h = 5d0 / steps
    real(8) :: state(2), k1(2), k2(2), k3(2), k4(2)
    integer :: step
    state = [10d0, 5d0]
    do step = 1, steps
      k1 = slope(p, state)
      k2 = slope(p, state + h / 2 * k1)
      k3 = slope(p, state + h / 2 * k2)
      k4 = slope(p, state + h * k3)
      state = state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    end do
    hares_at_the_end = state(1)
  end function
end program
