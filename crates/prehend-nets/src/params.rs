//! A module's parameters as one flat vector, for averaging and comparing.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};

/// All float parameters in the module's order.
#[must_use]
pub fn flatten<M: Module>(module: &M) -> Vec<f32> {
    struct Collect(Vec<f32>);
    impl ModuleVisitor for Collect {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.extend(param.val().into_data().iter::<f32>());
        }
    }
    let mut collect = Collect(Vec::with_capacity(module.num_params()));
    module.visit(&mut collect);
    collect.0
}

/// The module with its float parameters replaced; what is missing in `values` keeps its value.
#[must_use]
pub fn unflatten<M: Module>(module: M, values: &[f32]) -> M {
    struct Replace<'a>(&'a [f32]);
    impl ModuleMapper for Replace<'_> {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let shape = param.val().dims();
            let count = shape.iter().product();
            let Some((own, rest)) = self.0.split_at_checked(count) else {
                return param;
            };
            self.0 = rest;
            let data = TensorData::new(own.to_vec(), shape);
            param.map(|old| {
                let new = Tensor::from_data(data, &old.device());
                new.set_require_grad(old.is_require_grad())
            })
        }
    }
    module.map(&mut Replace(values))
}
