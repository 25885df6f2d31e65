! Two-dimensional Burgers' equation, differentiated with respect to the amplitude of the initial velocity.
!
!     burgers SIZE STEPS AMPLITUDE
!
! ../c/burgers.c says what is computed. The first dimension of arrays is that of x.
program burgers
  use derivgrind
  implicit none
  integer :: size, steps, step, column, row
  real(8) :: amplitude, width, time_step, x, y, bump, mean_speed, dot
  real(8), allocatable :: u(:, :), v(:, :), speed(:, :), new_u(:, :), new_v(:, :)
  character(32) :: words(3)

  if (command_argument_count() /= 3) stop 'usage: burgers SIZE STEPS AMPLITUDE'
  do step = 1, 3
    call get_command_argument(step, words(step))
  end do
  read (words(1), *) size
  read (words(2), *) steps
  read (words(3), *) amplitude

  ! (1) The amplitude is the input.
  call dg_set_dotvalue(amplitude, 1d0)
  call dg_inputf(amplitude)

  allocate (u(size, size), v(size, size), new_u(size, size), new_v(size, size))
  width = 1d0 / (size - 1)
  do row = 1, size
    do column = 1, size
      x = (column - 1d0) / (size - 1)
      y = (row - 1d0) / (size - 1)
      bump = 16 * x * (1 - x) * y * (1 - y)
      u(column, row) = amplitude * bump
      v(column, row) = amplitude * bump * x
    end do
  end do
  time_step = 0.2d0 * width
  do step = 1, steps
    speed = sqrt(u**2 + v**2)
    new_u = advanced(u)
    new_v = advanced(v)
    u = new_u
    v = new_v
  end do
  mean_speed = sum(sqrt(u**2 + v**2)) / size**2
  print '(a, es24.16)', 'value', mean_speed

  ! (2) Natively there is no derivative to be printed.
  if (dg_get_mode() == dg_mode_forward) then
    ! (3) The derivative of the result.
    call dg_get_dotvalue(mean_speed, dot)
    print '(a, es24.16)', 'derivative', dot
  end if
  call dg_outputf(mean_speed)

contains

  ! One explicit step in time for one component. Velocities are not negative: upwind is west and south.
  function advanced(field) result(next)
    real(8), intent(in) :: field(:, :)
    real(8) :: next(size, size)
    integer :: n
    n = size
    next = 0
    associate (here => field(2:n - 1, 2:n - 1), west => field(:n - 2, 2:n - 1), east => field(3:, 2:n - 1), &
               south => field(2:n - 1, :n - 2), north => field(2:n - 1, 3:), inside => next(2:n - 1, 2:n - 1))
      inside = here + time_step * (5d-4 * (1 + speed(2:n - 1, 2:n - 1)) * (west + east + south + north - 4 * here) / width**2 &
                                   - u(2:n - 1, 2:n - 1) * (here - west) / width - v(2:n - 1, 2:n - 1) * (here - south) / width)
    end associate
  end function
end program
