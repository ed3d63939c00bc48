import './advise/index/early-end.test.ts';
