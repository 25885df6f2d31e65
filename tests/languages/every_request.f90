! Each request by the module derivgrind, in whatever mode the program runs.
module expectations
  implicit none
  integer :: failures = 0
contains
  subroutine expect(condition, line)
    logical, intent(in) :: condition
    integer, intent(in) :: line
    if (condition) return
    failures = failures + 1
    print '(a, i0)', 'every_request.f90:', line
  end subroutine
end module

program every_request
  use, intrinsic :: iso_c_binding
  use derivgrind
  use expectations
  implicit none
  logical :: forward, recording

  forward = dg_get_mode() == dg_mode_forward
  recording = dg_get_mode() == dg_mode_recording
  call scalars()
  call arrays()
  call sections()
  call indices()
  call flags()
  if (failures > 0) stop 1

contains

  ! What is expected in forward mode, else zero.
  elemental real(8) function seen(dot)
    real(8), intent(in) :: dot
    seen = merge(dot, 0d0, forward)
  end function

  subroutine scalars()
    real(4) :: x4, dot4
    real(8) :: x8, dot8
    real(10) :: x10, dot10
    complex(4) :: z4, zdot4
    complex(8) :: z8, zdot8
    complex(10) :: z10, zdot10
    x4 = 3
    call dg_set_dotvalue(x4, 1.0)
    x4 = x4 * x4
    call dg_get_dotvalue(x4, dot4)
    call expect(x4 == 9 .and. dot4 == seen(6d0), __LINE__)
    x8 = 3
    call dg_set_dotvalue(x8, 1d0)
    x8 = x8 * x8
    call dg_get_dotvalue(x8, dot8)
    call expect(x8 == 9 .and. dot8 == seen(6d0), __LINE__)
    x10 = 3
    call dg_set_dotvalue(x10, 1.0_10)
    x10 = x10 * x10
    call dg_get_dotvalue(x10, dot10)
    call expect(x10 == 9 .and. dot10 == seen(6d0), __LINE__)
    z4 = (1, 2)
    call dg_set_dotvalue(z4, (0.5, 0.25))
    z4 = 2 * z4
    call dg_get_dotvalue(z4, zdot4)
    call expect(zdot4%re == seen(1d0) .and. zdot4%im == seen(0.5d0), __LINE__)
    z8 = (1, 2)
    call dg_set_dotvalue(z8, (0.5d0, 0.25d0))
    z8 = z8 * z8
    call dg_get_dotvalue(z8, zdot8)
    call expect(zdot8%re == 0 .and. zdot8%im == seen(2.5d0), __LINE__)
    z10 = (1, 2)
    call dg_set_dotvalue(z10, (0.5_10, 0.25_10))
    z10 = z10 + z10
    call dg_get_dotvalue(z10, zdot10)
    call expect(zdot10%re == seen(1d0) .and. zdot10%im == seen(0.5d0), __LINE__)
  end subroutine

  subroutine arrays()
    real(8) :: a1(2), a2(2, 2), a3(2, 2, 2), a4(2, 2, 2, 2), a5(2, 2, 2, 2, 2), a6(2, 2, 2, 2, 2, 2)
    real(8) :: a7(2, 2, 2, 2, 2, 2, 2), d1(2), d7(2, 2, 2, 2, 2, 2, 2)
    real(4), allocatable :: single(:, :, :), single_dots(:, :, :)
    complex(10) :: z(3), zdots(3)
    integer :: i
    call random_number(a1)
    call dg_set_dotvalue(a1, [1d0, 2d0])
    a2 = spread(a1, 1, 2)
    a3 = spread(a2, 1, 2)
    a4 = spread(a3, 1, 2)
    a5 = spread(a4, 1, 2)
    a6 = spread(a5, 1, 2)
    a7 = spread(a6, 1, 2)
    call dg_get_dotvalue(a7, d7)
    call expect(all(d7(:, :, :, :, :, :, 2) == seen(2d0)) .and. all(d7(:, :, :, :, :, :, 1) == seen(1d0)), __LINE__)
    ! The same dot value for all.
    call dg_set_dotvalue(a2, 3d0)
    call dg_set_dotvalue(a3, 3d0)
    call dg_set_dotvalue(a4, 3d0)
    call dg_set_dotvalue(a5, 3d0)
    call dg_set_dotvalue(a6, 3d0)
    call dg_set_dotvalue(a7, 3d0)
    a1 = [sum(a2) + sum(a3) + sum(a4), sum(a5) + sum(a6) + sum(a7)]
    call dg_get_dotvalue(a1, d1)
    call expect(all(d1 == seen([3d0 * (4 + 8 + 16), 3d0 * (32 + 64 + 128)])), __LINE__)
    allocate (single(3, 2, 2), single_dots(3, 2, 2))
    single = 1
    call dg_set_dotvalue(single, reshape([(real(i), i = 1, 12)], [3, 2, 2]))
    single = single * 2
    call dg_get_dotvalue(single, single_dots)
    call expect(all(single_dots == reshape([(real(seen(2d0 * i)), i = 1, 12)], [3, 2, 2])), __LINE__)
    z = (1, 1)
    call dg_set_dotvalue(z, [(cmplx(i, -i, 10), i = 1, 3)])
    call dg_get_dotvalue(z(3:1:-1), zdots)
    call expect(zdots(1)%im == seen(-3d0) .and. zdots(3)%re == seen(1d0), __LINE__)
  end subroutine

  ! Sections with gaps: what is marked is the caller's array, and nothing beside it.
  subroutine sections()
    real(8), target :: x(4, 6)
    real(8) :: dots(4, 6)
    real(4) :: y(7), ydots(7)
    real(8), pointer :: every_other(:, :)
    type pair
      real(8) :: first = 1, second = 2
    end type
    type(pair) :: pairs(3)
    real(8) :: pair_dots(3)
    x = 1
    call dg_set_dotvalue(x(2, :), [1d0, 2d0, 3d0, 4d0, 5d0, 6d0])
    call dg_set_dotvalue(x(4:1:-3, 2:6:2), reshape([10d0, 20d0, 30d0, 40d0, 50d0, 60d0], [2, 3]))
    call dg_get_dotvalue(x, dots)
    call expect(all(dots(2, :) == seen([1d0, 2d0, 3d0, 4d0, 5d0, 6d0])), __LINE__)
    call expect(all(dots(4, 2:6:2) == seen([10d0, 30d0, 50d0])) .and. all(dots(1, 2:6:2) == seen([20d0, 40d0, 60d0])), &
                __LINE__)
    call expect(all(dots(3, :) == 0) .and. all(dots([1, 4], [1, 3, 5]) == 0), __LINE__)
    every_other => x(::2, ::3)
    call dg_set_dotvalue(every_other, 7d0)
    call dg_get_dotvalue(x, dots)
    call expect(all(dots(1::2, 1::3) == seen(7d0)) .and. dots(2, 2) == seen(2d0), __LINE__)
    y = 1
    call dg_set_dotvalue(y(2::2), 5.0)
    y = y * 2
    call dg_get_dotvalue(y, ydots)
    call expect(all(ydots(2::2) == seen(10d0)) .and. all(ydots(1::2) == 0), __LINE__)
    call dg_set_dotvalue(pairs%second, [1d0, 2d0, 3d0])
    call dg_get_dotvalue(pairs%second, pair_dots)
    call expect(all(pair_dots == seen([1d0, 2d0, 3d0])), __LINE__)
    call dg_get_dotvalue(pairs%first, pair_dots)
    call expect(all(pair_dots == 0), __LINE__)
    call through_a_copy(x(3, :))
    call dg_get_dotvalue(x, dots)
    call expect(all(dots(3, :) == seen(9d0)) .and. dots(2, 2) == seen(2d0), __LINE__)
  end subroutine

  ! A section is copied in and out for this dummy argument; copies carry dot values.
  subroutine through_a_copy(x)
    real(8), intent(inout) :: x(6)
    call dg_set_dotvalue(x, 9d0)
  end subroutine

  subroutine indices()
    integer(c_int64_t) :: position, input, output, own, index, many(2, 3)
    real(8) :: x, y, bar, matrix(2, 3), gradient(2, 3)
    real(4) :: single
    real(10) :: extended
    complex(8) :: z
    logical :: served
    call dg_tape_position(position, served)
    call expect(served .eqv. recording, __LINE__)
    x = 3
    call dg_input(x, input)
    call expect((input /= 0) .eqv. recording, __LINE__)
    y = x * x
    call dg_output(y, output)
    call dg_tape_reverse([output], [1d0], served)
    call expect(served .eqv. recording, __LINE__)
    call dg_tape_get_bar(input, bar)
    call expect(bar == merge(6d0, 0d0, recording), __LINE__)
    call dg_tape_clear_bars(served)
    call expect(served .eqv. recording, __LINE__)
    ! An operation that the tool does not see: y = x / 2.
    call dg_new_index(input, 0_8, 0.5d0, 0d0, own, 1.5d0)
    call dg_set_index(y, own)
    call dg_get_index(y, index)
    call expect(index == own .and. ((own /= 0) .eqv. recording), __LINE__)
    call dg_tape_reverse([own], [1d0])
    call dg_tape_get_bar(input, bar)
    call expect(bar == merge(0.5d0, 0d0, recording), __LINE__)
    call dg_new_index(0_8, 0_8, 0.5d0, 0d0, own, 1.5d0)
    call expect(own == 0, __LINE__)
    call dg_new_index_noactivityanalysis(0_8, 0_8, 0.5d0, 0d0, own, 1.5d0)
    call expect((own /= 0) .eqv. recording, __LINE__)
    ! Arrays.
    matrix = 3
    call dg_input(matrix, many)
    y = sum(matrix(:, ::2) ** 2)
    call dg_output(y, output)
    call dg_tape_reverse([output], [1d0])
    call dg_tape_get_bar(many, gradient)
    call expect(all(gradient(:, ::2) == merge(6d0, 0d0, recording)) .and. all(gradient(:, 2) == 0), __LINE__)
    call dg_disable(1, 0, index)
    call expect(index == 0, __LINE__)
    y = sqrt(x)
    call dg_disable(0, 1)
    call dg_output(y, output)
    call expect(output == 0, __LINE__)
    call dg_tape_reset(position, served)
    call expect(served .eqv. recording, __LINE__)
    ! What the files list.
    single = 2
    call dg_inputf(single)
    extended = 2
    call dg_inputf(extended)
    z = (2, 1)
    call dg_inputf(z)
    z = z * (single * real(extended, 4))
    call dg_outputf(z)
    call dg_index_to_file(dg_indexfile_input, 0_8)
  end subroutine

  subroutine flags()
    real(8), target :: x
    integer(1), target :: activity(8), discreteness(8)
    logical :: is_set, is_read
    x = 1
    activity = 0
    discreteness = 0
    call dg_set_flags(c_loc(x), c_loc(activity), c_loc(discreteness), 8)
    call dg_set_flags(c_loc(x), c_loc(activity), c_loc(discreteness), 8, is_set)
    call dg_get_flags(c_loc(x), c_loc(activity), c_loc(discreteness), 8, is_read)
    call dg_mark_float(x)
    call expect(x == 1 .and. all(activity == 0) .and. .not. (is_set .or. is_read), __LINE__)
  end subroutine
end program
