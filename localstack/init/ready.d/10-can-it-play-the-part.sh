#!/bin/sh
# Runs in a LocalStack container when it is ready: says at once whether it can play the part the course needs,
# rather than in the middle of a chapter.
for call in "ec2 describe-vpcs" "iam list-roles" "logs describe-log-groups" "ecs list-clusters"; do
    # shellcheck disable=SC2086
    if ! answer=$(awslocal $call 2>&1); then
        echo "drydock course: LocalStack cannot do '$call' here: $answer"
        echo "drydock course: set LOCALSTACK_AUTH_TOKEN to a plan that includes it, or use LAB_TARGET=drydock."
    fi
done
