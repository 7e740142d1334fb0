#pragma once
// Whether to look for more events at once, or to go back to the loop and be told. Looking costs one
// system call; being told costs three (the loop's wait, ours, and re-arming the loop's watch).
// Under load looking pays nearly always, with one slow client nearly never; so it goes by how it
// went last. A value; pure.

namespace coppice {

class look_again {
public:
  /// Asked before each further look.
  [[nodiscard]] bool worth() noexcept {
    if (vain_ < patience) return true;
    if (++passed_over_ < retry) return false;
    passed_over_ = 0;
    return true;
  }

  /// Told after each further look.
  void looked(bool found) noexcept {
    if (found) {
      vain_ = 0;
    } else if (vain_ < patience) {
      ++vain_;
    }
  }

private:
  static constexpr int patience = 4; ///< looks in vain, in a row, before it is told instead
  static constexpr int retry = 16;   ///< then every so many times it looks all the same
  int vain_ = 0;
  int passed_over_ = 0;
};

} // namespace coppice
