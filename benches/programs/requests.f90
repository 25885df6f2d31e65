! What requests cost outside of the tool: nanoseconds of each, one a line.
program requests
  use derivgrind
  implicit none
  integer, parameter :: number = 20000000
  real(8) :: x, dot, start
  integer :: i
  character :: mode
  x = 1
  call begin()
  do i = 1, number
    call dg_set_dotvalue(x, 1d0)
  end do
  call report('set_dotvalue')
  do i = 1, number
    call dg_get_dotvalue(x, dot)
  end do
  call report('get_dotvalue')
  do i = 1, number
    call dg_inputf(x)
  end do
  call report('inputf')
  do i = 1, number
    call dg_outputf(x)
  end do
  call report('outputf')
  do i = 1, number
    mode = dg_get_mode()
  end do
  call report('mode')

contains

  subroutine begin()
    call cpu_time(start)
  end subroutine

  subroutine report(name)
    character(*), intent(in) :: name
    real(8) :: end
    call cpu_time(end)
    print '(a, f10.3)', name, (end - start) / number * 1d9
    call begin()
  end subroutine
end program
