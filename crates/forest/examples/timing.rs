use std::time::Instant;
use forest::{RandomForest, Samples};
fn cpu() -> f64 { let s=std::fs::read_to_string("/proc/self/stat").unwrap(); let f:Vec<&str>=s.rsplit(')').next().unwrap().split_whitespace().collect(); (f[11].parse::<f64>().unwrap()+f[12].parse::<f64>().unwrap())/100.0 }
fn main(){
  let trees: Vec<usize> = std::env::args().nth(1).unwrap_or("1,10".into()).split(',').map(|x|x.parse().unwrap()).collect();
  let threads: Vec<usize> = std::env::args().nth(2).unwrap_or("1,2".into()).split(',').map(|x|x.parse().unwrap()).collect();
  let (records, targets) = datasets::random_classification(100_000, 100, 42).unwrap();
  let values = records.as_slice().unwrap(); let labels = targets.as_slice().unwrap();
  let s = Samples::new(values, 100).unwrap();
  for &t in &trees { for &n in &threads {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
    pool.install(||{
      let mut best=f64::MAX; let mut bc=f64::MAX; let mut m=None;
      for _ in 0..(if t<=1 {5} else if t<=10 {3} else {1}) { let c=cpu(); let b=Instant::now(); m=Some(RandomForest::params().n_trees(t).fit_samples(s, labels).unwrap()); best=best.min(b.elapsed().as_secs_f64()); bc=bc.min(cpu()-c);}
      let m=m.unwrap();
      let mut p=f64::MAX; for _ in 0..3 { let b=Instant::now(); std::hint::black_box(m.predict_classes(s).unwrap()); p=p.min(b.elapsed().as_secs_f64()); }
      println!("trees {t} threads {n}: train {best:.3}s cpu {bc:.3} predict {p:.4}s nodes/tree {} depth {} oob {:?}", m.n_nodes()/t, m.max_depth(), m.oob_score());
    });
  }}
}
