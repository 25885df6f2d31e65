! The module under the name that programs of the classic tool use. Their forms with type(c_ptr) are among the generic
! procedures of the module derivgrind.
!
! SPDX-License-Identifier: MIT OR Apache-2.0
module derivgrind_clientrequests
  use derivgrind
  implicit none
  public
end module derivgrind_clientrequests
