//! Groups for keys modulo a prime.

use types::{AttributeType, Template, Value};

/// RFC 7919, A.1.
const FFDHE2048: &str =
    "ffffffffffffffffadf85458a2bb4a9aafdc5620273d3cf1d8b9c583ce2d3695a9e13641146433fbcc939dce249b3ef9
    7d2fe363630c75d8f681b202aec4617ad3df1ed5d5fd65612433f51f5f066ed0856365553ded1af3b557135e7f57c935
    984f0c70e0e68b77e2a689daf3efe8721df158a136ade73530acca4f483a797abc0ab182b324fb61d108a94bb2c8e3fb
    b96adab760d7f4681d4f42a3de394df4ae56ede76372bb190b07a7c8ee0a6d709e02fce1cdf7e2ecc03404cd28342f61
    9172fe9ce98583ff8e4f1232eef28183c3fe3b1b4c6fad733bb5fcbc2ec22005c58ef1837d1683b2c6f34a26c1b2effa
    886b423861285c97ffffffffffffffff";

/// Prime, subprime and base, made by OpenSSL: of 1024 and 160 bits, and of 2048 and 256.
const DSA: [[&str; 3]; 2] = [
    [
        "cca9bb56185337e55f82e44b999de63bc98942a3abf81e161c2cb7254917ec384a7f8d5a3ddf007d9df38324e0f5d4c5
         9d9bf1349b1abaf0343ed7a9712d9ecf8afe047f902c41cf43c15c159f2de257fa21b32f770d30990d7595c56fc52672
         5cdd83d190c6b2618d94a292a443d2d6887df9aaec3ff9dee59deaf3c3404345",
        "80ef86a6502bca02e5274fa0d9f9705fa7ff22db",
        "125f21246809084d2a88a907127fe74e14f77ca5d13ad901ffbfbc7c349ca087b39d6d8db5623aee4c80666a92714ff2
         3983548d1ead4bd20af9241b2685de7e47ae6bccf22ac74a68f18528505542aac8ee509bb634cfd846a6aaa49e033bd6
         d6ea9432603ceca9bb4a453603149cb20cccaa59be54ce4ef884af092cb23628",
    ],
    [
        "e07a0a3a8503272c412cb6dbf6265aa5775df77b0d5227ae132c2e09c2a875a8d7b7741c57d3f6f7681af75ecafe28a5
         49e400a6b4ae6d0ced59ccb2c32c5d24cfc5e9db1cb06183b4fc2cc944fa1106af03421bb5536f495d4ee80144f22127
         676b2feb7045af6dcbbf4c4a7db560b12dcef0171687345d310358d6622ac03e56e6c9aa427cd018c0c30096ec867610
         2f595cb7889f9b47e02ceed5aa40f2af59cd36c0a8bda563ece9abc62742cbf41121bef1c420fb8ba8e294bbaec3699b
         bf0e776625f557abbaad05450f929f95bd68dc32334759a3d227e30557ab2e3921daa4897105f84ee004815e724cbd01
         ae7fd67d8104767cb6a49ddb33b80b87",
        "9c53289c9ac317d1ee0406340c99d91dab0b6240123284a42e237cb555f13803",
        "7b248d856c0148255b1ef3d6744d3e0251afee3d08e52ef8e404eaefd7f15f6f0f7cb7ae099accb11d4e7a3f16bdd0f9
         7a7c9e177db8841bec254fc5ef7c79a71e5502a2af5311e77f60fbcd6e969e8cb9b82b45feb0696121bf1c16e1169287
         f3c7f0b9fb719f7053574f247fd6036b32fb67114d064030086203011beb7c2ba0e76a2eaec32f938563fad9547651af
         fa7d56a810a2593fa44490b48485f4b78b5b1e61cd24788f5a03aca8abb6ad54d8bd9b621140453686564da5171f3d27
         416926373f5b71c4a1bcfe70c0f0a66780badab1edc1f62be48aded97ce7ca494cfb4f7b9f047f81189afb9d688d6c4e
         2fa6ba3ac5ab69f3b4a13f9942ce463c",
    ],
];

fn unhex(digits: &str) -> Vec<u8> {
    let digits: Vec<_> = digits.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// A Diffie-Hellman group, as a template has it.
pub(crate) fn dh() -> Template {
    vec![(AttributeType::PRIME, Value::bytes(unhex(FFDHE2048))), (AttributeType::BASE, Value::bytes([2]))]
}

/// The DSA groups, as templates have them; the smallest first.
pub(crate) fn dsa() -> [Template; 2] {
    const NAMES: [AttributeType; 3] = [AttributeType::PRIME, AttributeType::SUBPRIME, AttributeType::BASE];
    DSA.map(|numbers| {
        NAMES.into_iter().zip(numbers).map(|(name, digits)| (name, Value::bytes(unhex(digits)))).collect()
    })
}
