! The gradient of the Rosenbrock function: in forward mode a run of the function for each input, in recording mode all at
! once.
program main
  use derivgrind
  implicit none
  real(8) :: x(4), y, direction(4), gradient(4)
  integer :: i

  x = [-1.2d0, 1d0, 0.5d0, 2d0]
  call dg_inputf(x)
  y = rosenbrock(x)
  call dg_outputf(y)
  print '(a, es24.16)', 'value', y

  if (dg_get_mode() == dg_mode_forward) then
    do i = 1, size(x)
      direction = 0
      direction(i) = 1
      call dg_set_dotvalue(x, direction)
      y = rosenbrock(x)
      call dg_get_dotvalue(y, gradient(i))
    end do
    print '(a, *(es24.16))', 'derivative', gradient
  end if

contains

  real(8) function rosenbrock(x)
    real(8), intent(in) :: x(:)
    associate (here => x(:size(x) - 1), next => x(2:))
      rosenbrock = sum(100 * (next - here**2)**2 + (1 - here)**2)
    end associate
  end function
end program
