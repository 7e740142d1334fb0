#pragma once
// One visitor for std::visit out of several lambdas.

namespace coppice {

template <class... Fs>
struct overloaded : Fs... {
  using Fs::operator()...;
};

} // namespace coppice
