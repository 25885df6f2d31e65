! Derivatives through a linear solver with pivoting: the sum of the solution x of (A + shift) x = b, with respect to the
! shift of the diagonal and to b.
program linear_solve
  use derivgrind
  implicit none
  real(8) :: shift, b(3), total, direction(4), gradient(4)
  integer :: i

  shift = 0.25d0
  b = [1d0, 2d0, 3d0]
  call dg_inputf(shift)
  call dg_inputf(b)
  total = sum_of_solution(shift, b)
  call dg_outputf(total)
  print '(a, es24.16)', 'value', total

  if (dg_get_mode() == dg_mode_forward) then
    do i = 1, size(gradient)
      direction = 0
      direction(i) = 1
      call dg_set_dotvalue(shift, direction(1))
      call dg_set_dotvalue(b, direction(2:))
      total = sum_of_solution(shift, b)
      call dg_get_dotvalue(total, gradient(i))
    end do
    print '(a, *(es24.16))', 'derivative', gradient
  end if

contains

  real(8) function sum_of_solution(shift, b)
    real(8), intent(in) :: shift, b(3)
    real(8) :: a(3, 3), x(3), row_before(3)
    integer :: column, row, pivot
    a = transpose(reshape([0.5d0, 2d0, 1d0, 3d0, 1d0, -1d0, 1d0, -4d0, 2d0], [3, 3]))
    x = b
    do row = 1, 3
      a(row, row) = a(row, row) + shift
    end do
    do column = 1, 3
      pivot = column - 1 + maxloc(abs(a(column:, column)), dim=1)
      row_before = a(column, :)
      a(column, :) = a(pivot, :)
      a(pivot, :) = row_before
      x([column, pivot]) = x([pivot, column])
      do row = column + 1, 3
        x(row) = x(row) - a(row, column) / a(column, column) * x(column)
        a(row, column:) = a(row, column:) - a(row, column) / a(column, column) * a(column, column:)
      end do
    end do
    do row = 3, 1, -1
      x(row) = (x(row) - dot_product(a(row, row + 1:), x(row + 1:))) / a(row, row)
    end do
    sum_of_solution = sum(x)
  end function
end program
